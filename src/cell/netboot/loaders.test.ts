import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loaderPackages, readLoaders, tftpFiles } from './loaders.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'muster-root-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('Debian’s packages give the whole table', async () => {
  const loaders = await readLoaders();
  expect([...loaders.keys()]).toEqual(expect.arrayContaining(['undionly.kpxe', 'snponly.efi', 'local.efi', 'off.efi', 'off.lkrn']));
  for (const { bytes, sha256 } of loaders.values()) {
    expect(bytes.length).toBeGreaterThan(20_000);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  }
  // PE/COFF for UEFI; a Linux boot sector (signature, `HdrS`) for iPXE on BIOS.
  for (const name of ['snponly.efi', 'local.efi', 'off.efi']) expect(loaders.get(name)!.bytes.subarray(0, 2).toString()).toBe('MZ');
  const lkrn = loaders.get('off.lkrn')!.bytes;
  expect([lkrn.readUInt16LE(510), lkrn.subarray(514, 518).toString()]).toEqual([0xaa55, 'HdrS']);
  expect(tftpFiles(loaders).get('snponly.efi')).toBe(loaders.get('snponly.efi')!.bytes);
});

test('the same packages give the same bytes, so every process of a cell serves the same loaders', async () => {
  const [a, b] = [await readLoaders(), await readLoaders()];
  expect([...a.values()].map(({ name, sha256 }) => [name, sha256])).toEqual([...b.values()].map(({ name, sha256 }) => [name, sha256]));
});

test('a missing loader names its Debian package', async () => {
  await expect(readLoaders(root)).rejects.toThrow(/\/usr\/lib\/ipxe\/.* is not there: it comes with the Debian package ipxe|GRUB/);
  await mkdir(join(root, 'usr/lib/grub/i386-pc'), { recursive: true });
  await symlink('/usr/lib/ipxe', join(root, 'usr/lib/ipxe'));
  await writeFile(join(root, 'usr/lib/grub/i386-pc/lnxboot.img'), '');
  await writeFile(join(root, 'usr/lib/grub/i386-pc/moddep.lst'), '');
  await expect(readLoaders(root)).rejects.toThrow('GRUB for x86_64-efi is not there: it comes with the Debian package grub-efi-amd64-bin');
  expect(loaderPackages).toEqual(['ipxe', 'grub-common', 'grub-efi-amd64-bin', 'grub-pc-bin']);
});
