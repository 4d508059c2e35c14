// The owner's first hour, in a browser that runs no scripts.
import { firstHour } from "../lib/owner.mjs";

export default (stage) => firstHour(stage, { javaScript: false });
