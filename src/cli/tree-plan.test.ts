import { mkdirSync, mkdtempSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planRack, thisOwner } from './rack-network.ts';
import { closeRunFolder, openRunFolder, runOf, staleFolders } from './run-folder.ts';
import { parseRackLine } from './simulated-rack.ts';
import { writeSimulatedImages } from './simulated-images.ts';
import { planTree } from './tree-plan.ts';

const racks = [1, 2, 3].map((cell) => planRack(thisOwner(), cell, []));
const request = {
  folder: '/data',
  cells: 3,
  fronts: 2,
  racks,
  hubPort: 5242,
  hubPlainPort: 5243,
  frontPorts: [5240, 5241],
  images: '/images',
  loaders: true,
  cellFlags: [],
  program: ['node', 'main.ts'] as const,
};

test('with racks each cell runs inside its own, with DHCP, and reaches the hub by its own pair', () => {
  const { hub, cells, fronts } = planTree(request);
  for (const [index, cell] of cells.entries()) {
    expect(cell.argv.slice(0, 4)).toEqual(['ip', 'netns', 'exec', racks[index]?.namespace]);
    expect(cell.argv).toContain('--dhcp');
    expect(cell.argv).toContain(`--rack=rack0=10.40.${index + 1}.1/24`);
    expect(cell.hubUrl).toBe(`https://${racks[index]?.hostAddress}:5242`);
    expect(hub.argv.find((word) => word.startsWith('--listen='))).toContain(racks[index]?.hostAddress);
  }
  expect(fronts.map(({ url }) => url)).toEqual(['http://127.0.0.1:5240', 'http://127.0.0.1:5241']);
});

test('without racks nothing but loopback is listened on, and there is no DHCP', () => {
  const { hub, cells, fronts } = planTree({ ...request, racks: [], loaders: false });
  const words = [hub, ...cells, ...fronts].flatMap(({ argv }) => [...argv]);
  expect(words).not.toContain('--dhcp');
  expect(words).not.toContain('ip');
  expect(
    words
      .join(' ')
      .match(/\d+\.\d+\.\d+\.\d+/g)
      ?.every((address) => address.startsWith('127.')),
  ).toBe(true);
  expect(cells.every(({ tftpPort }) => tftpPort === 0)).toBe(true);
  expect(new Set([...cells, ...fronts].map(({ url }) => url)).size).toBe(5);
});

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'muster-folder-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

test('a data folder in use is refused; one whose run is dead is taken', () => {
  const data = join(scratch, 'data');
  const first = openRunFolder(data, scratch);
  expect(() => openRunFolder(data, scratch)).toThrow(/is in use by process \d+\. Stop that one, or choose another folder with --data/);
  writeFileSync(join(data, 'up.lock'), `${process.pid}-1`);
  expect(openRunFolder(data, scratch).path).toBe(data);
  closeRunFolder(first);
  expect(existsSync(data)).toBe(true);
});

test('temporary folders of dead runs are found, those of live ones and of others are not', () => {
  const mine = openRunFolder(undefined, scratch);
  expect(mine.path).toBe(join(scratch, `muster-up-${runOf(thisOwner())}`));
  const dead = [`muster-up-${process.pid}-1`, 'muster-up-4194305-77'];
  for (const name of [...dead, 'muster-up-x', 'other']) mkdirSync(join(scratch, name));
  expect(staleFolders(scratch).toSorted()).toEqual(dead.map((name) => join(scratch, name)).toSorted());
  closeRunFolder(mine);
  expect(existsSync(mine.path)).toBe(false);
});

test('lines of a rack are machines or nothing', () => {
  const line = `machine ${JSON.stringify({ number: 3, serial: 's', macs: ['a'], power_type: 'redfish', power_parameters: { power_address: 'x' } })}`;
  expect(parseRackLine('c1', line)).toEqual({
    cell: 'c1',
    number: 3,
    macs: ['a'],
    powerType: 'redfish',
    powerParameters: { power_address: 'x' },
  });
  expect(parseRackLine('c1', 'the rack c1 is up at 10.40.1.17')).toBeUndefined();
});

test('simulated images say what they are, and are the same at every start', async () => {
  const folders = [join(scratch, 'one'), join(scratch, 'two')];
  for (const folder of folders) await writeSimulatedImages(folder);
  const [one, two] = folders.map((folder) => readFileSync(join(folder, 'manifests/simulated-1-amd64-simulated.json'), 'utf8'));
  expect(one).toBe(two);
  const { files } = JSON.parse(one ?? '') as { files: { sha256: string; size: number }[] };
  for (const { sha256, size } of files) expect(readFileSync(join(folders[0] ?? '', sha256)).length).toBe(size);
});
