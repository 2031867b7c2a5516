/** `npm run e2e -- lose-a-cell [--seed N] [words of blows]`: a cell dies, with and without its PostgreSQL; the others answer throughout. */
import { runScenario } from './chaos-run.ts';
import { scenarios } from './chaos-scenarios.ts';

await runScenario('lose-a-cell', scenarios['lose-a-cell']);
