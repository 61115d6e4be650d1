// Small comforts. Every page does its work without this file; nothing here decides anything.
import { copyButtons, printButtons, toldOnce } from "./tools.js";
import { codeFields, oneSubmission } from "./forms.js";
import { liveProgress } from "./progress.js";
import { countdowns, localTimes, onward } from "./times.js";

for (const start of [copyButtons, printButtons, toldOnce, codeFields, oneSubmission, countdowns, localTimes, onward, liveProgress]) {
  start(document);
}
