// The whole way from the setup link to a settled reward, in a browser that runs no scripts.
import { fromSetupToReward } from "../lib/reward.mjs";

export default (stage) => fromSetupToReward(stage, { javaScript: false });
