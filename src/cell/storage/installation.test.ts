/** What is installed of what was planned, what is refused, and the plan that comes of it. */
import { describe, expect, test } from 'vitest';
import { planDeployment, type DeploymentModel } from '../lifecycle/disk-plan.ts';
import { renderPlan } from '../lifecycle/plan-script.ts';
import { exampleStorage, maker, type ExampleDevice } from './example-storage.ts';
import { format, mount, mountSpecial } from './filesystems.ts';
import { flatInstallation, installationOf, type Installation } from './installation.ts';
import { applyLayout, type LayoutName } from './layouts.ts';
import { deviceOf, type Place, type Storage } from './model.ts';
import { Failure } from '../../contract/errors.ts';
import { addPartition, mostPartitions } from './partitions.ts';
import { createRaid } from './raids.ts';
import { gibibyte, mebibyte } from './sizes.ts';

const model: DeploymentModel = {
  systemId: '4y3hk7f',
  hostname: 'm',
  fqdn: 'm.example',
  operationId: 7,
  image: { sha256: 'a'.repeat(64), url: '/boot/file/a', kernel: '/boot/vmlinuz', initrd: '/boot/initrd.img', reports: true },
  kernelParameters: 'console=ttyS0',
  seed: { metadataUrl: 'http://m/', statusUrl: 'http://s/', consumerKey: 'c', tokenKey: 't', tokenSecret: 's', hosts: [] },
};

type Planned = Storage<ExampleDevice>;

/** A change by one of the rules; devices keep what else is known of them. */
const so = (storage: Storage): Planned => storage as Planned;
const laidOut = (name: LayoutName, disks = 1, given = {}) => so(applyLayout(exampleStorage(disks), name, given, maker()));
const disk = (storage: Storage, id: number): Place => ({ kind: 'device', device: deviceOf(storage, id) });

function installable(storage: Planned, firmware: 'bios' | 'uefi' = 'uefi'): Installation {
  const verdict = installationOf(storage, firmware);
  if ('refused' in verdict) throw new Error(verdict.refused);
  return verdict.installation;
}

/** The plan without what differs from one run to the next. */
const shape = (installation: Installation) =>
  renderPlan(planDeployment(model, installation)).replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9A-F]{4}-[0-9A-F]{4}|[A-Za-z0-9+/=]{60,}/g, '…');
const lines = (installation: Installation, word: string) =>
  shape(installation)
    .split('\n')
    .filter((line) => line.startsWith(`${word} `));
const fstab = (installation: Installation) => {
  const step = planDeployment(model, installation).find((one) => one.step === 'write_file' && one.path.endsWith('/fstab'));
  return step?.step === 'write_file' ? step.content.replaceAll(/UUID=\S+/g, 'UUID') : '';
};

test('the flat layout gives the same plan as a machine of which nobody said anything', () => {
  const storage = laidOut('flat');
  const target = deviceOf(storage, storage.bootDiskId ?? 0);
  expect(shape(installable(storage))).toBe(shape(flatInstallation(target, 7)));
  expect(lines(installable(storage), 'gpt')).toEqual([`gpt 'target' '1:bios_grub:1MiB' '2:esp:512MiB' '3:root:rest'`]);
  expect(fstab(installable(storage))).toBe('UUID / ext4 defaults,errors=remount-ro 0 1\nUUID /boot/efi vfat umask=0077,nofail 0 2\n');
});

test('a disk takes as many partitions as its table has room for', () => {
  const make = maker();
  let storage = exampleStorage(1);
  for (let n = 0; n < mostPartitions; n += 1)
    storage = so(addPartition(storage, deviceOf(storage, 1), { size: 8 * 1024 ** 2 }, make).storage);
  expect(() => addPartition(storage, deviceOf(storage, 1), { size: 8 * 1024 ** 2 }, make)).toThrow(Failure);
});

test('more partitions, whole disks, swap and tmpfs, each mounted before what lies in it', () => {
  const make = maker();
  let storage = so(applyLayout(exampleStorage(3), 'flat', { boot_size: '1G', root_size: '10G' }, make));
  const put = (place: Place, fstype: string, mount_point: string, mount_options?: string) => {
    storage = so(format(storage, place, { fstype, label: 'data' }, make));
    storage = so(mount(storage, place, { mount_point, ...(mount_options === undefined ? {} : { mount_options }) }));
  };
  for (const [size, fstype, path] of [
    [gibibyte, 'swap', ''],
    [2 * gibibyte, 'ext4', '/var/log'],
  ] as const) {
    const added = addPartition(storage, deviceOf(storage, 1), { size }, make);
    storage = so(added.storage);
    put(added.place, fstype, path);
  }
  put(disk(storage, 2), 'xfs', '/var', 'noatime');
  storage = so(mountSpecial(storage, { fstype: 'tmpfs', mount_point: '/scratch', mount_options: 'size=1G' }, make));
  const installation = installable(storage);
  expect(lines(installation, 'disk')).toEqual([`disk 'target' 's1' '${100 * gibibyte}'`, `disk 'disk1' 's2' '${100 * gibibyte}'`]);
  expect(lines(installation, 'gpt')).toEqual([
    `gpt 'target' '1:bios_grub:1MiB' '2:esp:512MiB' '3:linux:956MiB' '4:root:9540MiB' '5:swap:1024MiB' '6:linux:2048MiB'`,
  ]);
  expect(lines(installation, 'filesystem')).toEqual([
    `filesystem 'target' '2' 'vfat' 'EFI' '…'`,
    `filesystem 'target' '3' 'ext4' 'boot' '…'`,
    `filesystem 'target' '4' 'ext4' 'root' '…'`,
    `filesystem 'target' '5' 'swap' 'data' '…'`,
    `filesystem 'target' '6' 'ext4' 'data' '…'`,
    `filesystem 'disk1' '0' 'xfs' 'data' '…'`,
  ]);
  expect(lines(installation, 'mount_partition').map((line) => line.split(' ').at(-1))).toEqual([
    "'/target'",
    "'/target/boot'",
    "'/target/var'",
    "'/target/var/log'",
    "'/target/boot/efi'",
  ]);
  expect(fstab(installation)).toBe(
    [
      'UUID / ext4 defaults,errors=remount-ro 0 1',
      'UUID /boot ext4 defaults 0 2',
      'UUID /boot/efi vfat umask=0077,nofail 0 2',
      'tmpfs /scratch tmpfs size=1G 0 0',
      'UUID /var xfs noatime 0 0',
      'UUID /var/log ext4 defaults 0 2',
      'UUID none swap sw 0 0',
      '',
    ].join('\n'),
  );
  const grub = planDeployment(model, installation).find((one) => one.step === 'grub');
  expect(grub).toMatchObject({ alias: 'target', partition: 3 });
  expect(grub?.step === 'grub' && grub.config).toContain('\nlinux /vmlinuz root=UUID=');
});

describe('what cannot be installed is refused', () => {
  const make = maker();
  const cases: [string, () => Planned, string][] = [
    ['nothing at all', () => laidOut('blank'), "Mount the root '/' filesystem to be able to deploy this node."],
    ['no disk', () => ({ ...exampleStorage(0), layout: 'custom' }), 'Specify a storage device to be able to deploy this node.'],
    ['a volume group', () => laidOut('lvm'), 'This machine cannot be deployed with volume group vgroot'],
    ['bcache', () => laidOut('bcache', 2), 'This machine cannot be deployed with cache set cache0'],
    ['VMFS', () => laidOut('vmfs6'), 'This machine cannot be deployed with VMFS datastore datastore1'],
    [
      'a RAID of other disks',
      () =>
        so(
          createRaid(laidOut('flat', 3), { type: 'raid-1' }, { devices: [2, 3], partitions: [] }, { devices: [], partitions: [] }, make)
            .storage,
        ),
      'This machine cannot be deployed with RAID md0',
    ],
    ['btrfs', () => so(format(laidOut('flat', 2), disk(exampleStorage(2), 2), { fstype: 'btrfs' }, make)), 'A btrfs file system'],
    ['a root that GRUB does not see', () => laidOut('flat', 2, { root_device: 2 }), 'This machine starts from disk sda'],
    [
      'a disk that cannot be told from others',
      () => ({ ...laidOut('flat'), devices: laidOut('flat').devices.map((one) => ({ ...one, serial: null })) }),
      'Disk sda has neither serial number nor WWN',
    ],
    [
      'a root elsewhere than on the root',
      () => {
        const storage = so(format(laidOut('flat', 2), disk(exampleStorage(2), 2), { fstype: 'ext4' }, make));
        return so(mount(storage, disk(storage, 2), { mount_point: '/etc' }));
      },
      '/etc must be on the root file system.',
    ],
  ];
  test.each(cases)('%s', (_, storage, why) => {
    const verdict = installationOf(storage(), 'uefi');
    expect('refused' in verdict && verdict.refused).toContain(why);
  });

  test('a machine that may start by UEFI needs an EFI partition, one of BIOS does not', () => {
    let storage = exampleStorage(1);
    const added = addPartition(storage, deviceOf(storage, 1), { size: 20 * gibibyte }, make);
    storage = so(mount(format(added.storage, added.place, { fstype: 'ext4' }, make), added.place, { mount_point: '/' }));
    for (const firmware of ['uefi', ''] as const) expect(installationOf(storage, firmware)).toHaveProperty('refused');
    expect(lines(installable(storage, 'bios'), 'gpt')).toEqual([`gpt 'target' '1:bios_grub:1MiB' '2:root:${20 * 1024}MiB'`]);
  });

  test('a small xfs', () => {
    let storage = laidOut('flat', 2);
    const added = addPartition(storage, deviceOf(storage, 2), { size: 100 * mebibyte }, make);
    storage = so(format(added.storage, added.place, { fstype: 'xfs' }, make));
    expect(installationOf(storage, 'uefi')).toEqual({ refused: 'An xfs file system needs 300 MiB.' });
  });
});
