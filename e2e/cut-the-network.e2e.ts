/** `npm run e2e -- cut-the-network [--seed N] [words of blows]`: links between programs are cut, both ways and one way. Needs root and iproute2. */
import { runScenario } from './chaos-run.ts';
import { scenarios } from './chaos-scenarios.ts';
import { inOwnNetwork, networkPlace } from './fleet-network.ts';

const prefix = await inOwnNetwork(3, 2);
await runScenario('cut-the-network', scenarios['cut-the-network'], () => networkPlace(prefix, 3, 2));
