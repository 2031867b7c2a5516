/** What scan.test.ts asserts on, run inside a namespace: `node scan.scenario.ts INTERFACE ADDRESS/PREFIX FIRST LAST`. Prints the neighbours. */
import { parseIpv4 } from '../../contract/ipv4.ts';
import { readKernelNeighbours } from './neighbours.ts';
import { askForAddresses, reachableAddresses } from './scan.ts';

const [name = '', address = '', first = '', last = ''] = process.argv.slice(2);
const range = { first: BigInt(parseIpv4(first) ?? 0), last: BigInt(parseIpv4(last) ?? 0) };
await askForAddresses(reachableAddresses([range], [{ address }]), 8, new AbortController().signal);
process.stdout.write(JSON.stringify(await readKernelNeighbours([name])));
