/**
 * The one table of Debian packages: what each is for and where it is used. Set-up installs from it, and a program that misses one
 * names it from here. Plain JavaScript, since set-up runs before anything is installed.
 */

/**
 * Where packages are used.
 * - `cell`: what a cell runs or serves; `npm start` needs no more.
 * - `image`: what `muster image build` needs.
 * - `metal`: emulated machines with real firmware, and their BMCs.
 * - `browser`: the test of the web page.
 * @typedef {'cell' | 'image' | 'metal' | 'browser'} PackageSet
 */

/** @typedef {{ readonly name: string, readonly sets: readonly PackageSet[], readonly why: string }} DebianPackage */

/** @type {readonly DebianPackage[]} */
export const debianPackages = [
  { name: 'iproute2', sets: ['cell', 'metal'], why: 'network namespaces, one a rack; ip and ss' },
  { name: 'kea-dhcp4-server', sets: ['cell'], why: 'DHCP on the rack' },
  { name: 'radvd', sets: ['cell'], why: 'router advertisements (iPXE waits 13 s for one)' },
  { name: 'ipxe', sets: ['cell'], why: 'the loaders that TFTP hands out' },
  { name: 'ipmitool', sets: ['cell'], why: 'power by IPMI' },
  { name: 'grub-common', sets: ['cell'], why: 'grub-mkimage: the loaders that start the local disk or power off' },
  { name: 'grub-efi-amd64-bin', sets: ['cell'], why: 'GRUB modules for UEFI' },
  { name: 'grub-pc-bin', sets: ['cell'], why: 'GRUB modules for BIOS' },
  { name: 'gpgv', sets: ['cell'], why: 'verifies who signed the images of a boot source' },
  { name: 'mmdebstrap', sets: ['image'], why: 'builds Debian trees' },
  { name: 'busybox-static', sets: ['metal'], why: 'the tests run the agent under its shell too' },
  { name: 'curl', sets: ['metal'], why: 'a TFTP client that is not ours; the tests of the agent' },
  { name: 'zstd', sets: ['cell', 'image'], why: 'compresses images' },
  { name: 'openssl', sets: ['metal'], why: 'certificates of emulated BMCs' },
  { name: 'openssh-client', sets: ['metal'], why: 'logs in to deployed machines' },
  { name: 'qemu-system-x86', sets: ['metal'], why: 'emulated machines' },
  { name: 'ovmf', sets: ['metal'], why: 'UEFI firmware' },
  { name: 'seabios', sets: ['metal'], why: 'BIOS firmware' },
  { name: 'ipxe-qemu', sets: ['metal'], why: 'network ROMs for SeaBIOS' },
  { name: 'openipmi', sets: ['metal'], why: 'ipmi_sim: a BMC that speaks IPMI' },
  { name: 'fdisk', sets: ['metal'], why: 'sfdisk: reads the disks of emulated machines' },
  { name: 'chromium', sets: ['browser'], why: 'the browser that the test of the web page drives' },
];

/**
 * The names of the packages of some sets, each once, in the table's order.
 * @param {readonly PackageSet[]} sets
 * @param {readonly DebianPackage[]} [table]
 * @returns {string[]}
 */
export function packagesOf(sets, table = debianPackages) {
  return table.filter((entry) => entry.sets.some((set) => sets.includes(set))).map((entry) => entry.name);
}

/**
 * Which of the wanted packages are not installed.
 * @param {readonly string[]} wanted
 * @param {string} statuses what `dpkg-query -W -f '${Package} ${db:Status-Status}\n'` printed
 * @returns {string[]} in the order wanted
 */
export function missingPackages(wanted, statuses) {
  const installed = new Set();
  for (const line of statuses.split('\n')) {
    const [name, status] = line.trim().split(' ');
    if (status === 'installed') installed.add(name);
  }
  return wanted.filter((name) => !installed.has(name));
}

/**
 * The command a person runs to install packages, as one line.
 * @param {readonly string[]} names
 * @returns {string}
 */
export function installCommand(names) {
  return `sudo apt-get install --no-install-recommends ${names.join(' ')}`;
}
