/**
 * What kea-server.test.ts asserts on, run inside a rack's network namespace: `node kea-server.scenario.ts FOLDER CLIENT_NAMESPACE MODE`.
 * `crash` starts Kea and dies by SIGKILL; `run` goes through the life of one and prints what it saw as one JSON object.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { NetworkPlan, Reservation, Snippet } from './network-plan.ts';
import { findDaemons } from './daemon.ts';
import { interfaces } from './interfaces.ts';
import { keaCommand } from './kea-control.ts';
import { startKea } from './kea-server.ts';
import { createRouterAdvertiser } from './router-advertisement.ts';

const [folder = '', client = '', mode = ''] = process.argv.slice(2);
const run = promisify(execFile);
const troubles: string[] = [];
const onTrouble = (trouble: string): void => void troubles.push(trouble);

const plan = (reservations: readonly Reservation[] = [], snippets: readonly Snippet[] = []): NetworkPlan => ({
  vlans: [
    {
      id: 1,
      dhcpOn: true,
      interface: 'rack0',
      subnets: [
        {
          id: 300000000001,
          cidr: '10.66.0.0/16',
          gateway: '10.66.0.1',
          dnsServers: ['10.66.0.1'],
          ntpServers: [],
          relays: [],
          ranges: [{ start: '10.66.128.1', end: '10.66.255.250' }],
          reservations,
          snippets,
        },
      ],
    },
  ],
});
const options = {
  folder,
  service: { address: '10.66.0.1', port: 5240, loaders: ['undionly.kpxe', 'snponly.efi'] },
  leaseTime: 600,
  interfaces,
  onTrouble,
  debounceMs: 50,
  compareEveryMs: 400,
};

async function ask(mac: string, arch = '', userClass = '', request = ''): Promise<unknown> {
  const script = join(import.meta.dirname, 'dhcp-client.scenario.ts');
  const { stdout } = await run('ip', ['netns', 'exec', client, process.execPath, script, mac, arch, userClass, request]);
  return JSON.parse(stdout);
}
const keas = (): Promise<readonly number[]> => findDaemons('/usr/sbin/kea-dhcp4', ['-c', join(folder, 'kea-dhcp4.json')]);
const advertised = async (): Promise<number> => {
  const { stdout } = await run('ip', ['netns', 'exec', client, 'cat', '/proc/net/snmp6']);
  return Number(/Icmp6InRouterAdvertisements\s+(\d+)/.exec(stdout)?.[1]);
};

if (mode === 'crash') {
  await startKea(plan(), options);
  process.kill(process.pid, 'SIGKILL');
}

const seen: Record<string, unknown> = {};
const leftover = await keas();
seen['leftover'] = leftover.length;
const kea = await startKea(plan(), options);
seen['after adopting'] = (await keas()).filter((pid) => !leftover.includes(pid)).length === (await keas()).length && (await keas()).length;

seen['bios'] = await ask('52:54:00:00:00:01', '0');
seen['uefi'] = await ask('52:54:00:00:00:02', '7');
seen['uefi http'] = await ask('52:54:00:00:00:03', '16');
seen['ipxe'] = await ask('52:54:00:00:00:04', '7', 'iPXE');
seen['plain'] = await ask('52:54:00:00:00:05');

const one = { mac: '52:54:00:00:00:06', address: '10.66.1.6', hostname: 'node6' };
const began = performance.now();
await kea.applied(await kea.push(plan([one])));
seen['applied ms'] = Math.round(performance.now() - began);
seen['reserved'] = await ask(one.mac, '', '', 'request');
seen['leases'] = (await kea.leases()).map(({ address, mac, subnetId }) => ({ address, mac, subnetId }));

const many = Array.from({ length: 2000 }, (_, i) => ({
  mac: `52:54:01:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
  address: `10.66.${2 + (i >> 8)}.${i & 255}`,
}));
const manyBegan = performance.now();
await kea.applied(await kea.push(plan([one, ...many.filter(({ address }) => !address.endsWith('.0') || address !== '10.66.0.0')])));
seen['2000 applied ms'] = Math.round(performance.now() - manyBegan);

const before = troubles.length;
const two = { mac: '52:54:00:00:00:07', address: '10.66.1.7' };
await kea.applied(await kea.push(plan([one, two], [{ name: 'wrong', json: '{"option-data":[{"name":"no-such-option","data":"x"}]}' }])));
seen['wrong snippet'] = troubles.slice(before);
seen['reserved beside a wrong snippet'] = await ask(two.mac);

const saying = (data: string): Snippet => ({ name: data, json: `{"option-data":[{"name":"tftp-server-name","data":"${data}"}]}` });
const placed = plan([{ ...one, snippets: [saying('host')] }, two]);
const [vlan] = placed.vlans;
const [subnet] = vlan!.subnets;
const inPool = { ...subnet!, ranges: subnet!.ranges.map((range) => ({ ...range, snippets: [saying('pool')] })) };
await kea.applied(await kea.push({ snippets: [saying('every')], vlans: [{ ...vlan!, subnets: [inPool] }] }));
seen['of a host'] = await ask(one.mac);
seen['of a pool'] = await ask('52:54:00:00:00:08');
seen['of everything'] = await ask(two.mac);
seen['a good snippet'] = await kea.refusesSnippet('{"valid-lifetime":120,"option-data":[{"name":"ntp-servers","data":"10.66.0.9"}]}');
seen['bad snippets'] = [
  await kea.refusesSnippet('{"option-data":[{"name":"no-such-option","data":"x"}]}'),
  await kea.refusesSnippet('{"option-data":[{"name":"ntp-servers","data":"nine"}]}'),
];

seen['differences'] = await kea.differences();
const socket = join(folder, 'kea4.sock');
const foreign = JSON.parse(await readFile(join(folder, 'kea-dhcp4.json'), 'utf8')) as { Dhcp4: Record<string, never> };
await keaCommand(socket, 'config-set', { Dhcp4: { ...foreign.Dhcp4, 'shared-networks': [], 'user-context': {} } });
const putRight = (): readonly string[] => troubles.filter((trouble) => trouble.includes('it is put right'));
for (let i = 0; i < 50 && !putRight().length; i += 1) await sleep(100);
await sleep(300);
seen['somebody else'] = putRight();
seen['put right'] = await kea.differences();

const [pid] = await keas();
process.kill(pid!, 'SIGKILL');
for (let i = 0; i < 150; i += 1) {
  const [now] = await keas();
  const answers = now !== undefined && now !== pid && (await keaCommand(socket, 'status-get').catch(() => undefined));
  if (answers) break;
  await sleep(100);
}
seen['restarted'] = (await keas()).length === 1 && (await keas())[0] !== pid;
seen['reserved after restart'] = await ask(two.mac);
seen['death told'] = troubles.some((trouble) => trouble.includes('kea-dhcp4 ended (SIGKILL)'));

const advertiser = createRouterAdvertiser({ folder, interfaces, onTrouble });
const none = await advertised();
await advertiser.apply(plan());
for (let i = 0; i < 50 && (await advertised()) === none; i += 1) await sleep(100);
seen['advertisements'] = (await advertised()) > none;
await advertiser.close();
seen['radvd left'] = (
  await findDaemons('/usr/sbin/radvd', ['-n', '-C', join(folder, 'radvd.conf'), '-p', join(folder, 'radvd.pid'), '-m', 'stderr'])
).length;

await kea.close();
seen['left'] = (await keas()).length;
const deep = join(folder, 'a-folder-with-a-long-name'.repeat(5));
const wrong = { name: 'wrong', json: '{"option-data":[{"name":"no-such-option","data":"x"}]}' };
const late = troubles.length;
const far = await startKea(plan([], [wrong]), { ...options, folder: deep });
seen['with a long path'] = await far.differences();
seen['started with a wrong snippet'] = troubles.slice(late);
await far.close();
const missing = await startKea(plan(), { ...options, program: '/usr/sbin/kea-dhcp4-not-there' }).catch((error: Error) => error.message);
seen['missing package'] = missing;
process.stdout.write(JSON.stringify(seen));
process.exit(0);
