// The whole way from the setup link to a settled reward.
import { fromSetupToReward } from "../lib/reward.mjs";

export default (stage) => fromSetupToReward(stage, { javaScript: true });
