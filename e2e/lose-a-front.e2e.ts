/** `npm run e2e -- lose-a-front [--seed N] [words of blows]`: one of two fronts dies in the middle; clients go on with the other. */
import { runScenario } from './chaos-run.ts';
import { scenarios } from './chaos-scenarios.ts';

await runScenario('lose-a-front', scenarios['lose-a-front']);
