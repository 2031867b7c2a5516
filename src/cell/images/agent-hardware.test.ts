/** What the agent's shell reads of PCI, USB and NUMA, under dash and busybox sh, on a made-up /sys. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const agent = fileURLToPath(new URL('../../../agent', import.meta.url));
const shells = [['dash'], ...(existsSync('/usr/bin/busybox') || existsSync('/bin/busybox') ? [['busybox', 'sh']] : [])] as const;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-hardware-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(shell: readonly string[], script: string): Promise<Ran> {
  const [program = 'dash', ...before] = shell;
  const env = { ...process.env, MUSTER_HOME: agent, MUSTER_SYS: join(folder, 'sys') };
  const sourced = ['console.sh', 'hardware.sh'].map((name) => `. "$MUSTER_HOME/${name}"`).join('\n');
  return new Promise((resolve) => {
    execFile(program, [...before, '-euc', `${sourced}\n${script}`], { env, timeout: 15_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? 1 : 0, stdout, stderr }),
    );
  });
}

describe.each(shells)('agent under %s %s', (...words) => {
  const shell = words.filter((word) => word !== undefined);

  test('PCI and USB devices with their names, NUMA nodes with their cores', async () => {
    const file = async (path: string, text: string) => {
      const at = join(folder, path);
      await mkdir(join(at, '..'), { recursive: true });
      await writeFile(at, `${text}\n`);
    };
    const pci = async (address: string, facts: Record<string, string>) => {
      for (const [name, text] of Object.entries(facts)) await file(`sys/bus/pci/devices/${address}/${name}`, text);
    };
    await pci('0000:3b:00.0', { class: '0x020000', vendor: '0x8086', device: '0x1572', numa_node: '1' });
    await mkdir(join(folder, 'sys/bus/pci/drivers/i40e'), { recursive: true });
    await symlink('../../drivers/i40e', join(folder, 'sys/bus/pci/devices/0000:3b:00.0/driver'));
    await pci('0000:00:01.0', { class: '0x060400', vendor: '0xffff', device: '0x0001' });
    for (const [name, text] of Object.entries({ idVendor: '046d', idProduct: 'c077', busnum: '1', devnum: '2', product: 'A "mouse"' }))
      await file(`sys/bus/usb/devices/1-1/${name}`, text);
    await file('sys/devices/system/node/node1/cpulist', '0-2,8');
    await file('sys/devices/system/node/node1/meminfo', 'Node 1 MemTotal:       2097152 kB');
    await file('sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages', '4');
    await file('sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages', '0');
    await file('ids', '# names\n8086  In"tel\\ Co\n\t1572  X710\n\t\t8086 0001  Not this one\nC 02  Network');
    const script = `pci_ids=${join(folder, 'ids')}; printf '{"pci":[%s],"usb":[%s],"numa":[%s]}' "$(pci_devices)" "$(usb_devices)" "$(numa_nodes)"`;
    const ran = await run(shell, script);
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    const bridge = {
      address: '0000:00:01.0',
      class: '060400',
      vendor: 'ffff',
      product: '0001',
      vendor_name: '',
      product_name: '',
      numa: -1,
      driver: '',
    };
    expect(JSON.parse(ran.stdout)).toEqual({
      pci: [
        bridge,
        {
          address: '0000:3b:00.0',
          class: '020000',
          vendor: '8086',
          product: '1572',
          vendor_name: 'Intel Co',
          product_name: 'X710',
          numa: 1,
          driver: 'i40e',
        },
      ],
      usb: [{ bus: 1, device: 2, vendor: '046d', product: 'c077', vendor_name: '', product_name: 'A "mouse"', driver: '' }],
      numa: [{ node: 1, cores: [0, 1, 2, 8], memory_mib: 2048, hugepages: [{ page_size: 2048, total: 4 }] }],
    });
    // A machine that shows nothing of it.
    await rm(join(folder, 'sys/bus'), { recursive: true });
    await rm(join(folder, 'sys/devices'), { recursive: true });
    expect(await run(shell, script)).toMatchObject({ code: 0, stdout: '{"pci":[],"usb":[],"numa":[]}' });
  });

  test('what vendors write into their firmware is JSON that a cell takes, whatever it is', async () => {
    const at = join(folder, 'sys/product_name');
    await mkdir(join(folder, 'sys'), { recursive: true });
    await writeFile(
      at,
      Buffer.concat([Buffer.from('  \u001bBox "\\u0041$(x)`y` é'), Buffer.from([0xff, 0xfe]), Buffer.from(`${'z'.repeat(1_000)}\nnext\n`)]),
    );
    const ran = await run(shell, 'json_string "$(trimmed "$MUSTER_SYS/product_name")"');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    const name = JSON.parse(ran.stdout) as string;
    expect(name).toMatch(/^Box "\\u0041\$\(x\)`y` z+$/);
    expect(name.length).toBeLessThanOrEqual(255);
  });
});
