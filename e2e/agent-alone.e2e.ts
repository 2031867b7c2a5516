/**
 * The agent and the images by themselves: QEMU boots the built kernel and initramfs directly (no PXE, no cell, no namespace; QEMU's user
 * network), against a server that speaks the protocol, with the plans that a cell would render.
 *
 *   node e2e/agent-alone.e2e.ts [--images FOLDER] [commission] [refused] [ended] [bios] [uefi]
 */
import assert from 'node:assert/strict';
import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  mkdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAgent } from '../src/cell/images/build-agent.ts';
import { buildDebian12 } from '../src/cell/images/build-debian.ts';
import type { BuiltImage } from '../src/cell/images/built-image.ts';
import { planDeployment, planErase } from '../src/cell/lifecycle/disk-plan.ts';
import { flatInstallation } from '../src/cell/storage/installation.ts';
import { readInventory } from '../src/cell/lifecycle/inventory.ts';
import { renderPlan } from '../src/cell/lifecycle/plan-script.ts';
import type { Inventory } from '../src/contract/inventory.ts';
import { LoneCell, lines, type Answer, type Heard } from './lone-cell.ts';
import { Timeline } from './timeline.ts';

const args = process.argv.slice(2);
const option = args.indexOf('--images');
const images =
  option >= 0
    ? (args.splice(option, 2)[1] ?? '')
    : (process.env['MUSTER_IMAGES'] ?? join(process.env['HOME'] ?? '/var/lib', '.cache/muster/images'));
const wanted = (name: string) => args.length === 0 || args.includes(name);

const mib = 1024 * 1024;
const diskSize = 3072 * mib;
const meta = '/MAAS/metadata/';
const folder = mkdtempSync(join(tmpdir(), 'muster-agent-alone-'));
const timeline = new Timeline();
const credential = { SYSTEM_ID: 'c1abcd', HOSTNAME: "no'de", CONSUMER_KEY: 'ck', TOKEN_KEY: 'tk', TOKEN_SECRET: 'ts' };
const running = new Set<ChildProcess>();

const progress = ({ image, step }: { image: string; step: string }) => timeline.mark('build', `${image}: ${step}`);
const agent = await buildAgent({ folder: images, progress });
const cell = await LoneCell.start(images);

const pathOf = (image: BuiltImage, ftype: string) =>
  image.files.find((file) => file.ftype === ftype)?.path ?? assert.fail(`${image.name} has no ${ftype}`);

interface Boot {
  readonly name: string;
  readonly purpose?: string;
  readonly uefi?: boolean;
  readonly devices?: readonly string[];
}

/** Start a machine; with a purpose it boots the agent, without one its disk. Resolves when it has switched itself off or restarted. */
async function boot({ name, purpose, uefi, devices = [] }: Boot, until?: Promise<unknown>, seconds = 240): Promise<void> {
  const vars = join(folder, `${name}.vars`);
  if (uefi && !existsSync(vars)) copyFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd', vars);
  const log = openSync(join(folder, `${name}.qemu`), 'a');
  const append = `console=ttyS0,115200 net.ifnames=0 quiet muster_url=${cell.url} muster_purpose=${purpose} muster_nonce=${'ab'.repeat(16)} BOOTIF=01-52-54-00-00-00-01`;
  const argv = [
    ['-nographic', '-nodefaults', '-M', 'q35', '-accel', 'tcg', '-m', '1024', '-vga', 'none', '-no-reboot'],
    ['-chardev', `file,id=console,path=${join(folder, `${name}.console`)},append=on`, '-serial', 'chardev:console'],
    ['-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    uefi
      ? ['-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd', '-drive', `if=pflash,format=raw,file=${vars}`]
      : [],
    ['-netdev', 'user,id=n0', '-device', 'virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01,romfile='],
    devices,
    purpose ? ['-kernel', pathOf(agent, 'boot-kernel'), '-initrd', pathOf(agent, 'boot-initrd'), '-append', append] : [],
  ].flat();
  const machine = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', log, log] });
  closeSync(log);
  running.add(machine);
  const ended = new Promise<string>((done) => machine.once('close', () => done('off')));
  const late = AbortSignal.timeout(seconds * 1000);
  const waited = new Promise<string>((done) => late.addEventListener('abort', () => done('late')));
  const end = await Promise.race([ended, waited, ...(until ? [until.then(() => 'told')] : [])]);
  if (end !== 'off') machine.kill('SIGKILL');
  await ended;
  running.delete(machine);
  assert.notEqual(end, 'late', `${name} was not done in ${seconds} s`);
  if (until) assert.equal(end, 'told', `${name} switched itself off too early`);
  timeline.mark(name, until ? 'stopped' : 'off');
}

function makeDisk(name: string, size = diskSize): string {
  const path = join(folder, name);
  closeSync(openSync(path, 'w'));
  truncateSync(path, size);
  return path;
}

const virtio = (path: string, serial: string, order = 1) => [
  '-drive',
  `if=none,id=${serial},format=raw,file=${path},cache=unsafe,discard=unmap`,
  '-device',
  `virtio-blk-pci,drive=${serial},serial=${serial},bootindex=${order}`,
];

const form = (call: Heard) => new URLSearchParams(call.body.toString('utf8'));

/** What the last claim said of its only disk. */
function claimedDisk(): URLSearchParams {
  return new URLSearchParams(form(cell.callsOf(`${meta}agent/claim`).at(-1) ?? assert.fail('nothing was claimed')).get('disk') ?? '');
}

function readAt(path: string, start: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const file = openSync(path, 'r');
  readSync(file, bytes, 0, length, start);
  closeSync(file);
  return bytes;
}

async function commission(): Promise<void> {
  const tar = join(folder, 'scripts');
  mkdirSync(join(tar, 'commissioning'), { recursive: true });
  writeFileSync(
    join(tar, 'commissioning/60-words'),
    '#!/bin/sh\necho out\necho err >&2\necho "a: b" >"$RESULT_PATH"\ndate -u +%Y\nexit 3\n',
    { mode: 0o755 },
  );
  writeFileSync(join(tar, 'commissioning/70-slow'), '#!/bin/sh\nsleep 100\n', { mode: 0o755 });
  const index = [
    ['50-muster-inventory', 'commissioning/50-muster-inventory', 11, 1, 60, 0, 0],
    ['60-words', 'commissioning/60-words', 12, 2, 60, 0, 0],
    ['70-slow', 'commissioning/70-slow', 13, 3, 2, 0, 0],
  ];
  writeFileSync(join(tar, 'index.tsv'), index.map((row) => `${row.join('\t')}\n`).join(''));
  const scripts = execFileSync('tar', ['-C', tar, '-c', '.']);
  let lost = 2;
  let given = false;
  cell.answer = ({ path }): Answer | undefined => {
    switch (path) {
      case `${meta}agent/check-in`:
        return lost-- > 0 ? { lost: true } : { body: lines({ ...credential, PURPOSE: 'commission' }) };
      case `${meta}latest/maas-scripts`:
        if (given) return { status: 204 };
        given = true;
        return { body: scripts };
      case `${meta}latest/`:
        return { body: 'OK' };
      case `${meta}agent/spend`:
        return { body: lines({ ACTION: 'poweroff' }) };
    }
    return undefined;
  };
  const devices = [
    virtio(makeDisk('one', 1024 * mib), 'ONE'),
    ['-drive', `if=none,id=d1,format=raw,file=${makeDisk('two', 512 * mib)}`, '-device', 'nvme,drive=d1,serial=TWO'],
    ['-device', 'virtio-scsi-pci', '-drive', `if=none,id=d2,format=raw,file=${makeDisk('three', 256 * mib)}`],
    ['-device', 'scsi-hd,drive=d2,serial=THREE,wwn=0x5000c500a1b2c3d4'],
    ['-netdev', 'user,id=n1,restrict=on', '-device', 'virtio-net-pci,netdev=n1,mac=52:54:00:00:00:02,romfile='],
    ['-rtc', 'base=1970-01-02T00:00:00', '-smbios', 'type=1,serial=SN1,uuid=11111111-2222-3333-4444-555555555555'],
  ].flat();
  await boot({ name: 'commission', purpose: 'commission', devices });

  const boots = cell.callsOf(`${meta}agent/check-in`);
  assert.equal(boots.length, 3, 'two replies were lost');
  assert.equal(new Set(boots.map((call) => form(call).get('boot_id'))).size, 1, 'with the same boot id');
  const first = form(boots[0] ?? assert.fail());
  assert.deepEqual(
    [first.getAll('mac'), first.get('hardware_uuid')],
    [['52:54:00:00:00:01', '52:54:00:00:00:02'], '11111111-2222-3333-4444-555555555555'],
  );
  const signals = cell.callsOf(`${meta}latest/`).map((call) => fields(call.body));
  assert.match(
    cell.callsOf(`${meta}latest/`)[0]?.authorization ?? '',
    /^OAuth .*oauth_signature_method="PLAINTEXT".*oauth_consumer_key="ck".*oauth_token="tk".*oauth_signature="%26ts"/,
  );
  assert.deepEqual(
    signals.map(({ status, script_result_id, exit_status }) => [status, script_result_id, exit_status]),
    [
      ['WORKING', '11', undefined],
      ['WORKING', '11', '0'],
      ['WORKING', '12', undefined],
      ['WORKING', '12', '3'],
      ['WORKING', '13', undefined],
      ['TIMEDOUT', '13', '143'],
      ['OK', undefined, undefined],
    ],
  );
  // The machine thought it was 1970 and took the cell's clock.
  assert.deepEqual(
    [signals[3]?.['60-words.out'], signals[3]?.['60-words.err'], signals[3]?.['60-words.yaml']],
    [`out\n${new Date().getUTCFullYear()}\n`, 'err\n', 'a: b\n'],
  );
  const printed = signals[1]?.['50-muster-inventory.out'] ?? '';
  assert.ok('found' in readInventory(Buffer.from(printed, 'latin1')), `the cell takes the inventory in: ${printed}`);
  const inventory = JSON.parse(printed) as Inventory;
  assert.deepEqual([inventory.firmware, inventory.system.serial, inventory.cpu.count, inventory.memory_mib], ['bios', 'SN1', 1, 1024]);
  assert.deepEqual(
    inventory.disks.map((disk) => [disk.name, disk.serial, disk.size]),
    [
      ['nvme0n1', 'TWO', 512 * mib],
      ['sda', 'THREE', 256 * mib],
      ['vda', 'ONE', 1024 * mib],
    ],
  );
  assert.equal(inventory.disks[1]?.wwn, '0x5000c500a1b2c3d4');
  assert.deepEqual(
    inventory.interfaces.map((nic) => [nic.mac, nic.link, nic.boot]),
    [
      ['52:54:00:00:00:01', true, true],
      ['52:54:00:00:00:02', true, false],
    ],
  );
}

/** Fields of a multipart/form-data body, in latin1. */
function fields(body: Buffer): Partial<Record<string, string>> {
  const text = body.toString('latin1');
  const boundary = text.slice(0, text.indexOf('\r\n'));
  const parts = text.split(boundary).slice(1, -1);
  return Object.fromEntries(parts.map((part) => [/name="([^"]*)"/.exec(part)?.[1] ?? '', part.slice(part.indexOf('\r\n\r\n') + 4, -2)]));
}

/** A refusal is final: the words are on the console, and the machine switches itself off. */
async function refused(): Promise<void> {
  cell.answer = () => ({ status: 403, body: 'Another boot of this machine owns this ticket.' });
  await boot({ name: 'refused', purpose: 'deploy', devices: virtio(makeDisk('refused', 64 * mib), 'ONE') }, undefined, 60);
  assert.match(readFileSync(join(folder, 'refused.console'), 'latin1'), /refused with 403: Another boot of this machine owns this ticket/);
  assert.ok(
    readAt(join(folder, 'refused'), 0, 64 * mib).every((byte) => byte === 0),
    'nothing was written',
  );
}

/** A plan that fails is reported with its reason; one that was aborted ends with the next sign of life. */
async function ended(): Promise<void> {
  let plan = '. /muster/steps.sh\ndisk target NOPE 5\n';
  let action = 'go-on';
  cell.answer = ({ path }): Answer | undefined => {
    switch (path) {
      case `${meta}agent/check-in`:
        return { body: lines({ ...credential, PURPOSE: 'deploy' }) };
      case `${meta}agent/claim`:
        return { body: plan };
      case `${meta}agent/heartbeat`:
        return { body: lines({ ACTION: action }) };
      case `${meta}agent/spend`:
        return { body: lines({ ACTION: 'poweroff' }) };
    }
    return undefined;
  };
  const devices = virtio(makeDisk('ended', 64 * mib), 'ONE');
  await boot({ name: 'failing', purpose: 'deploy', devices }, undefined, 60);
  const report = form(cell.callsOf(`${meta}agent/spend`).at(-1) ?? assert.fail('not spent'));
  assert.equal(report.get('outcome'), 'failed');
  assert.match(report.get('detail') ?? '', /no disk is NOPE with 5 bytes; there are: vda=ONE\/67108864/);

  plan = 'sleep 100\n';
  action = 'poweroff';
  const spent = cell.callsOf(`${meta}agent/spend`).length;
  await boot({ name: 'aborted', purpose: 'deploy', devices }, undefined, 60);
  assert.match(readFileSync(join(folder, 'aborted.console'), 'latin1'), /aborted by the cell/);
  assert.equal(cell.callsOf(`${meta}agent/spend`).length, spent, 'nothing was spent');
}

async function deploy(uefi: boolean): Promise<void> {
  const name = uefi ? 'uefi' : 'bios';
  const debian = await buildDebian12({ folder: images, progress });
  const tree = debian.files[0] ?? assert.fail();
  const disk = makeDisk(name);
  const target = { id: 1, name: 'vda', serial: 'ONE', wwn: null, size: diskSize };
  const keys = { consumerKey: 'ck', tokenKey: 'tk', tokenSecret: 'ts', hosts: [] };
  const seed = { metadataUrl: `${cell.url}${meta}`, statusUrl: `${cell.url}${meta}status/c1abcd`, ...keys };
  const image = {
    sha256: tree.sha256,
    url: `${cell.url}/file/${tree.sha256}`,
    kernel: debian.facts['kernel'] ?? '',
    initrd: debian.facts['initrd'] ?? '',
    reports: true,
  };
  const model = {
    systemId: 'c1abcd',
    hostname: 'node1',
    fqdn: 'node1.maas',
    operationId: 7,
    image,
    kernelParameters: 'console=ttyS0,115200',
    seed,
  };
  const report = `#!/bin/sh\nbody="$(cloud-id) $(cat /etc/machine-id) $(hostname) $(cat /proc/uptime)"\npython3 -c 'import sys, urllib.request as u; u.urlopen("${cell.url}/phone-home", sys.argv[1].encode())' "$body"\n`;
  const metadata: Record<string, string> = {
    'meta-data/instance-id': 'c1abcd',
    'meta-data/local-hostname': 'node1.maas',
    'meta-data/public-keys': '',
    'meta-data/vendor-data': '{}\n',
    'user-data': report,
  };
  let plan = renderPlan(planDeployment(model, flatInstallation(target, model.operationId)));
  cell.answer = (call): Answer | undefined => {
    const asked = new RegExp(`^${meta}2012-03-01/(.*)$`).exec(call.path)?.[1] ?? '';
    if (asked in metadata) return { body: metadata[asked] ?? '' };
    if (call.path.startsWith(`${meta}status/`)) return { status: 204 };
    switch (call.path) {
      case '/phone-home':
        return { body: 'thanks' };
      case `${meta}agent/check-in`:
        return { body: lines({ ...credential, PURPOSE: 'deploy' }) };
      case `${meta}agent/claim`:
        return { body: plan };
      case `${meta}agent/heartbeat`:
        return { body: lines({ ACTION: 'go-on' }) };
      case `${meta}agent/spend`:
        return { body: lines({ ACTION: 'reboot' }) };
    }
    return undefined;
  };
  const machine = { name, uefi, devices: virtio(disk, 'ONE') };

  // The power fails in the middle of the first write; the second boot runs the same plan, and its download breaks off twice.
  const beats = cell.callsOf(`${meta}agent/heartbeat`).length;
  await boot({ ...machine, purpose: 'deploy' }, cell.whenCalled(`${meta}agent/heartbeat`, beats + 2));
  timeline.mark(name, 'killed in the middle of the write');
  cell.breaks.push(20_000_000, 30_000_000);
  const spent = cell.callsOf(`${meta}agent/spend`).length;
  await boot({ ...machine, purpose: 'deploy' });
  assert.equal(
    claimedDisk().get('marker'),
    `muster c1abcd 7 deploy started ${tree.sha256}`,
    'the second claim shows the interrupted write',
  );
  const end = form(cell.callsOf(`${meta}agent/spend`)[spent] ?? assert.fail('not spent'));
  assert.deepEqual([end.get('outcome'), end.get('detail')], ['done', '']);
  const percents = cell
    .callsOf(`${meta}agent/heartbeat`)
    .slice(beats)
    .map((call) => Number(form(call).get('percent')));
  assert.ok(
    percents.some((percent) => percent > 5 && percent < 100),
    `progress was reported: ${percents.join(' ')}`,
  );

  // The disk by itself; on UEFI by the loader that iPXE chains, from a medium that comes first.
  const calls = cell.callsOf('/phone-home').length;
  const home = cell.whenCalled('/phone-home', calls + 1);
  let devices = machine.devices;
  if (uefi) {
    const medium = join(folder, 'medium/EFI/BOOT');
    mkdirSync(medium, { recursive: true });
    copyFileSync(pathOf(agent, 'local-efi'), join(medium, 'BOOTX64.EFI'));
    devices = [
      ...virtio(disk, 'ONE', 2),
      '-drive',
      `if=none,id=medium,format=raw,file=fat:rw:${join(folder, 'medium')}`,
      '-device',
      'virtio-blk-pci,drive=medium,bootindex=1',
    ];
  }
  await boot({ ...machine, devices }, home);
  const words = cell.callsOf('/phone-home').at(-1)?.body.toString() ?? '';
  assert.match(words, /^maas [0-9a-f]{32} node1 /, 'cloud-init ran with the MAAS datasource');
  timeline.mark(name, `user-data ran ${words.split(' ')[3]} s after the kernel started`);

  // And away with it.
  plan = renderPlan(planErase([target]));
  await boot({ ...machine, purpose: 'erase' });
  assert.equal(claimedDisk().get('marker'), `muster c1abcd 7 deploy done ${tree.sha256}`);
  assert.equal(claimedDisk().get('signatures'), 'ext4,gpt,pmbr,vfat');
  for (const start of [0, diskSize - mib])
    assert.ok(
      readAt(disk, start, mib).every((byte) => byte === 0),
      `the MiB at ${start} is zero`,
    );
  assert.equal(execFileSync('wipefs', ['--noheadings', '--no-act', disk], { encoding: 'utf8' }), '', 'no signature is found');
  rmSync(disk);
}

let failed = true;
try {
  if (wanted('commission')) await commission();
  if (wanted('refused')) await refused();
  if (wanted('ended')) await ended();
  if (wanted('bios')) await deploy(false);
  if (wanted('uefi')) await deploy(true);
  failed = false;
} finally {
  for (const machine of running) machine.kill('SIGKILL');
  cell.stop();
  timeline.print();
  if (failed) process.stdout.write(`consoles are kept in ${folder}\n`);
  else rmSync(folder, { recursive: true, force: true });
}
