/** `npm run e2e -- lose-everything-but-one-cell [--seed N] [words of blows]`: one cell is left, is called directly, and does all it ever did. */
import { runScenario } from './chaos-run.ts';
import { scenarios } from './chaos-scenarios.ts';

await runScenario('lose-everything-but-one-cell', scenarios['lose-everything-but-one-cell']);
