/** `npm run e2e -- lose-the-hub [--seed N] [words of blows]`: the hub dies, in polls and in writes; everything but global writes goes on. */
import { runScenario } from './chaos-run.ts';
import { scenarios } from './chaos-scenarios.ts';

await runScenario('lose-the-hub', scenarios['lose-the-hub']);
