import { mkdtempSync } from 'node:fs';
import { createClient } from '../src/http/client.ts';
import { createFleet } from '../src/sim/fleet.ts';
import { freePort, killCellProcess, machinesOf, simulatedImages, startCellProcess, until } from './sim-cell.ts';
const folder = mkdtempSync('/tmp/mu-sim/x');
await using images = await simulatedImages(`${folder}/images`, 3);
const port = await freePort();
const cell = await startCellProcess({ folder: `${folder}/cell`, images: images.folder, port, imageSources: [images.source], network: '127.42.255.254/16', killPoint: '', nth: 1, killPostgres: false });
try {
console.log('ready', cell.key);
const url = `http://127.0.0.1:${port}`;
const client = createClient({ url, key: cell.key });
await using fleet = await createFleet({ seed: 'try', machines: 3, cellUrl: url, speed: 300, log: (e) => console.log(new Date(e.at).toISOString().slice(14), e.machine, e.stage, e.text) });
await fleet.start();
let seen = await until('enlisted', 20000, () => machinesOf(client), (m) => m.length === 3, (m) => JSON.stringify(m));
console.log(seen);
const ids = new Map(seen.map((m) => [m.system_id, fleet.find(m.macs[0]!)!]));
for (const [id, m] of ids) { await client.call('Machine.update', { system_id: id }, { power_type: 'redfish', power_parameters: m.power.power_parameters } as never); await client.call('Machine.commission', { system_id: id }, {}); }
seen = await until('ready', 60000, () => machinesOf(client), (m) => m.every((x) => x.status_name === 'Ready'), (m) => JSON.stringify(m));
console.log(seen.map((x) => x.status_name));
for (const [id] of ids) await client.call('Machine.deploy', { system_id: id }, { distro_series: 'simulated/1', user_data: btoa('#cloud-config\n{}\n') });
seen = await until('deployed', 60000, () => machinesOf(client), (m) => m.every((x) => x.status_name === 'Deployed'), (m) => JSON.stringify(m));
console.log(seen.map((x) => x.status_name));
for (const [id] of ids) await client.call('Machine.release', { system_id: id }, { erase: true, quick_erase: true });
seen = await until('released', 60000, () => machinesOf(client), (m) => m.every((x) => x.status_name === 'Ready'), (m) => JSON.stringify(m));
console.log(seen.map((x) => x.status_name + ' ' + x.power_state));
for (const { machine, bmc } of fleet.machines) console.log(bmc.log.map((l) => l.command), machine.boots.map((b) => b.purpose), machine.disks.map((d) => d.signatures()));
} finally { await killCellProcess(cell); }
process.exit(0);
