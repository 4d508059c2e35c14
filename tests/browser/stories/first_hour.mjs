// The owner's first hour.
import { firstHour } from "../lib/owner.mjs";

export default (stage) => firstHour(stage, { javaScript: true });
