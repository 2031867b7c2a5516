import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coreSector, pointBootSector, pointCore, stubSector, stubSectors } from './grub-images.ts';
import { closeModules, parseModuleList } from './initramfs.ts';
import { mmdebstrapArguments } from './build-debian.ts';
import { parseLoaded } from './package-tree.ts';

const dep = `kernel/fs/fat/vfat.ko: kernel/fs/fat/fat.ko
kernel/fs/fat/fat.ko:
kernel/drivers/block/virtio_blk.ko:
kernel/drivers/net/xen-netfront.ko: kernel/a/b.ko kernel/a/c.ko
kernel/a/b.ko:
kernel/a/c.ko:
`;

describe('kernel modules', () => {
  test('what is wanted and all it needs; what the kernel does not have is left out', () => {
    expect(closeModules(dep, ['vfat', 'xen_netfront', 'ahci'])).toEqual([
      'kernel/a/b.ko',
      'kernel/a/c.ko',
      'kernel/drivers/net/xen-netfront.ko',
      'kernel/fs/fat/fat.ko',
      'kernel/fs/fat/vfat.ko',
    ]);
  });

  test('any modules.dep and list are read without an error', () => {
    fc.assert(fc.property(fc.string(), fc.array(fc.string()), (text, wanted) => void closeModules(text, wanted)));
  });

  test("the agent's own list parses to module names", () => {
    const names = parseModuleList(readFileSync(new URL('../../../agent/modules', import.meta.url), 'utf8'));
    expect(names).toContain('virtio_net');
    expect(names).toContain('efivarfs');
    expect(names.filter((name) => !/^[a-z0-9_-]+$/.test(name))).toEqual([]);
  });
});

describe('GRUB images', () => {
  test('the boot sector points at core.img, and core.img at its own rest', () => {
    const boot = pointBootSector(Buffer.alloc(512, 0xff));
    expect(boot.readBigUInt64LE(0x5c)).toBe(BigInt(coreSector));
    expect(boot.readUInt16LE(0x66)).toBe(0x9090);
    const core = pointCore(Buffer.alloc(1300, 7));
    expect(core.length).toBe(1536);
    expect([core.readBigUInt64LE(0x1f4), core.readUInt16LE(0x1fc), core.readUInt16LE(0x1fe)]).toEqual([BigInt(coreSector + 1), 2, 0x820]);
  });

  test('a core.img that would reach the stub text is refused', () => {
    expect(() => pointCore(Buffer.alloc((stubSector - coreSector) * 512 + 1))).toThrow(RangeError);
  });

  test('the agent writes where the images look', () => {
    const steps = readFileSync(new URL('../../../agent/steps.sh', import.meta.url), 'utf8');
    expect(steps).toContain(`core_sector=${coreSector}\n`);
    expect(steps).toContain(`stub_sector=${stubSector}\n`);
    expect(steps).toContain(`stub_sectors=${stubSectors}\n`);
  });
});

test('parseLoaded: libraries with their paths, not the vdso or the linker', () => {
  const text = '\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /x/lib/libz.so.1 (0x00007f00)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f11)\n';
  expect(parseLoaded(text)).toEqual([['libz.so.1', '/x/lib/libz.so.1']]);
  fc.assert(
    fc.property(fc.string(), (any) => {
      expect(parseLoaded(any).filter(([name]) => name.includes('/'))).toEqual([]);
    }),
  );
});

test('mmdebstrap: a namespace of its own for those who are not root, sources last', () => {
  expect(mmdebstrapArguments(['a', 'b'], '/s.list', false)).toContain('--mode=unshare');
  const argv = mmdebstrapArguments(['a', 'b'], '/s.list', true);
  expect(argv).toContain('--mode=root');
  expect(argv).toContain('--include=a,b');
  expect(argv.slice(-3)).toEqual(['bookworm', '-', '/s.list']);
});
