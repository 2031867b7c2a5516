/**
 * One process of a pair for kea-pair.test.ts, inside its network namespace: `node kea-pair.scenario.ts FOLDER PLACE`. It says `up`, then takes
 * commands on standard input, one a line: `reserve MAC ADDRESS`, `state`, `close`; each is answered by a line of JSON.
 */
import { createInterface } from 'node:readline';
import { interfaces } from './interfaces.ts';
import { keaCommand } from './kea-control.ts';
import { pairOf, type KeaPair } from './kea-pair.ts';
import { startKea } from './kea-server.ts';
import type { NetworkPlan, Reservation } from './network-plan.ts';
import { writePairCertificate } from './pair-certificate.ts';
import { socketFolder } from './socket-folder.ts';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

const [folder = '', place = '1'] = process.argv.slice(2);
const address = `10.67.0.${place}`;
await mkdir(folder, { recursive: true, mode: 0o750 });
const files = await writePairCertificate(folder, Buffer.alloc(32, 7));
const peers = pairOf(
  ['1', '2'].map((one) => ({ id: `process-${one}`, address: `10.67.0.${one}`, silent: 0 })),
  `process-${place}`,
);
if (peers === undefined || peers === 'idle') throw new Error('two processes are a pair');
const pair: KeaPair = { own: `process-${place}`, peers, ...files };
const reservations: Reservation[] = [];
const plan = (): NetworkPlan => ({
  vlans: [
    {
      id: 1,
      dhcpOn: true,
      interface: 'rack0',
      subnets: [
        {
          id: 300000000001,
          cidr: '10.67.0.0/16',
          dnsServers: [],
          ntpServers: [],
          relays: [],
          ranges: [{ start: '10.67.128.1', end: '10.67.128.200' }],
          reservations,
          snippets: [],
        },
      ],
    },
  ],
});
const kea = await startKea(
  plan(),
  {
    folder,
    service: { address, port: 5240, loaders: ['undionly.kpxe'] },
    leaseTime: 600,
    interfaces,
    onTrouble: (trouble) => process.stderr.write(`${trouble}\n`),
    debounceMs: 50,
  },
  pair,
);
const socket = join(await socketFolder(folder, 'kea4.sock'), 'kea4.sock');
const say = (facts: unknown): void => void process.stdout.write(`${JSON.stringify(facts)}\n`);
say('up');

async function obey([word = '', mac = '', at = '']: readonly string[]): Promise<unknown> {
  switch (word) {
    case 'reserve':
      reservations.push({ mac, address: at });
      await kea.applied(await kea.push(plan(), pair));
      return 'applied';
    case 'state': {
      const answer = await keaCommand(socket, 'status-get');
      const { 'high-availability': pairs } = answer.arguments as {
        'high-availability': { 'ha-servers': { local: { state: string }; remote: { 'in-touch': boolean } } }[];
      };
      return pairs[0]?.['ha-servers'].local.state;
    }
    case 'leases':
      return (await kea.leases()).map((lease) => lease.address).toSorted();
    case 'close':
      await kea.close();
      return 'closed';
    default:
      throw new Error(`unknown word ${word}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  say(await obey(line.split(' ')).catch((error: unknown) => ({ error: String(error) })));
  if (line === 'close') process.exit(0);
}
process.kill(process.pid, 'SIGKILL');
