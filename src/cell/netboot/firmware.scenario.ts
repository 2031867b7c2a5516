/**
 * What firmware.test.ts asserts on, run inside a rack's network namespace: `node firmware.scenario.ts FOLDER`. Starts the whole room and
 * answers «power off» to everyone; prints each boot-log entry as a line of JSON until its input ends.
 */
import { createBootHandler, type BootDoors } from './http-boot.ts';
import { listenForBoots } from './boot-listener.scenario.ts';
import { interfaces } from './interfaces.ts';
import { startKea } from './kea-server.ts';
import { readLoaders, tftpFiles } from './loaders.ts';
import type { NetworkPlan } from './network-plan.ts';
import { createRouterAdvertiser } from './router-advertisement.ts';
import { startTftp } from './tftp-server.ts';

const [folder = ''] = process.argv.slice(2);
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const onTrouble = (trouble: string): void => say({ trouble });
const plan: NetworkPlan = {
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
};
const doors: BootDoors = {
  findBoot: async () => ({
    facts: { machine: { state: 'ready', locked: false, movedAway: false, ephemeral: false }, enlists: false, unsure: false },
  }),
  openFile: async () => undefined,
  log: say,
};
const loaders = await readLoaders();
const service = { address: '10.67.0.1', port: 5240, loaders: [...loaders.keys()] };
const tftp = await startTftp({
  addresses: [service.address],
  port: 69,
  files: tftpFiles(loaders),
  onRequest: ({ phase, address, file, outcome }) => {
    if (phase === 'end') say({ protocol: 'tftp', address, path: file, answer: outcome });
  },
});
const kea = await startKea(plan, { folder, service, leaseTime: 600, interfaces, onTrouble });
const advertiser = createRouterAdvertiser({ folder, interfaces, onTrouble });
await advertiser.apply(plan);
const handler = createBootHandler({ doors, loaders, serviceUrls: [`http://${service.address}:${service.port}`] });
const { server } = await listenForBoots(handler, service.address, service.port);
say({ ready: true });
process.stdin.resume();
process.stdin.on('end', () => {
  server.close();
  void Promise.all([tftp.close(), kea.close(), advertiser.close()]).then(() => process.exit(0));
});
