/**
 * What firmware.test.ts asserts on, run inside a rack's network namespace: `node firmware.scenario.ts FOLDER`. Starts the whole room and
 * answers «power off» to everyone; prints each boot-log entry as a line of JSON until its input ends.
 */
import Fastify from 'fastify';
import { registerBootRoutes } from './boot-routes.ts';
import { startNetboot } from './netboot.ts';

const [folder = ''] = process.argv.slice(2);
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const netboot = await startNetboot(
  {
    vlans: [
      {
        id: 1,
        dhcpOn: true,
        interface: 'rack0',
        subnets: [
          {
            id: 300000000001,
            cidr: '10.67.0.0/16',
            gateway: '10.67.0.1',
            dnsServers: [],
            ntpServers: [],
            relays: [],
            ranges: [{ start: '10.67.128.1', end: '10.67.255.250' }],
            reservations: [],
            snippets: [],
          },
        ],
      },
    ],
  },
  {
    folder,
    address: '10.67.0.1',
    port: 5240,
    doors: {
      findBoot: async () => ({
        facts: { machine: { state: 'ready', locked: false, movedAway: false, ephemeral: false }, enlists: false, unsure: false },
      }),
      openFile: async () => undefined,
      log: say,
    },
    onTrouble: (trouble) => say({ trouble }),
  },
);
const app = Fastify();
registerBootRoutes(app, netboot.handler);
await app.listen({ host: '10.67.0.1', port: 5240 });
say({ ready: true });
process.stdin.resume();
process.stdin.on('end', () => {
  void Promise.all([netboot.close(), app.close()]).then(() => process.exit(0));
});
