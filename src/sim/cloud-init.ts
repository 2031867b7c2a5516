/** The installed system's cloud-init: finds the MAAS datasource on its disk, fetches its metadata with its own credential, reports by webhook. */
import { randomBytes } from 'node:crypto';
import { Conversation, Refused } from './conversation.ts';
import type { FileSystem, InstalledSystem } from './disk.ts';
import type { Environment } from './environment.ts';

/** What the installer wrote for cloud-init. */
export interface CloudSeed {
  readonly metadataUrl: string;
  /** `consumer:token:secret`. */
  readonly key: string;
  readonly reporting: { readonly endpoint: string; readonly key: string } | undefined;
}

/** What a boot of an installed system saw. */
export interface SystemBoot {
  readonly instanceId: string;
  readonly hostname: string;
  readonly machineId: string;
  readonly publicKeys: number;
  readonly userData: string;
  readonly reports: number;
}

const hostsFile = '/etc/hosts';
const seedFile = '/etc/cloud/cloud.cfg.d/90_muster.cfg';
const stateFile = '/var/lib/cloud/data/instance-id';
const machineIdFile = '/etc/machine-id';
/** cloud-init asks for this one, and nothing newer (maas-api.md §5). */
const version = '2012-03-01';

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function keyOf(from: Record<string, unknown>): string {
  const parts = ['consumer_key', 'token_key', 'token_secret'].map((name) => from[name]);
  if (!parts.every((part) => typeof part === 'string' && /^[^:\s]+$/.test(part))) throw new Error('the MAAS datasource has no credential');
  return parts.join(':');
}

/**
 * The seed of a root file system: YAML of one key a line with JSON after it, which is the part of YAML that the installer writes. As ds-identify,
 * which decides whether cloud-init runs at all, it wants MAAS in a line `datasource_list: [..]`.
 * @throws Error that says what is missing.
 */
export function readSeed(text: string): CloudSeed {
  const [first, ...rest] = text.split('\n');
  if (first !== '#cloud-config') throw new Error(`${seedFile} does not begin with #cloud-config`);
  const config: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const line of rest.filter((one) => one.trim() !== '')) {
    const match = /^([a-z_]+): (.+)$/.exec(line);
    try {
      if (match === null) throw new Error('not a key and a value');
      config[match[1] ?? ''] = JSON.parse(match[2] ?? '');
    } catch (error) {
      throw new Error(`${seedFile}: ${JSON.stringify(line.slice(0, 80))}: ${(error as Error).message}`, { cause: error });
    }
  }
  const sources: unknown = config['datasource_list'];
  if (!Array.isArray(sources) || !sources.includes('MAAS')) throw new Error(`${seedFile} lists no datasource MAAS: cloud-init stays off`);
  const maas = record(record(config['datasource'])['MAAS']);
  const url = maas['metadata_url'];
  if (typeof url !== 'string' || !url.startsWith('http://')) throw new Error(`${seedFile} names no metadata_url`);
  const webhook = Object.values(record(config['reporting']))
    .map(record)
    .find((one) => one['type'] === 'webhook' && typeof one['endpoint'] === 'string');
  return {
    metadataUrl: url.replace(/\/+$/, ''),
    key: keyOf(maas),
    reporting: webhook && { endpoint: String(webhook['endpoint']), key: keyOf(webhook) },
  };
}

/**
 * The base URLs that a URL of the seed stands for: a name of the system's own hosts file has all addresses that the file gives it, which Python
 * tries in turn (glibc's `multi on`).
 */
export function originsOf(url: string, hosts: string): string {
  const { origin, hostname, port } = new URL(url);
  const addresses = hosts.split('\n').flatMap((line) => {
    const [address = '', ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    return names.includes(hostname) ? [`http://${address}${port === '' ? '' : `:${port}`}`] : [];
  });
  return addresses.length === 0 ? origin : addresses.join(',');
}

/** The stages of a first boot, as cloud-init names its events. */
const stages = [
  ['init-network/check-cache', 'attempting to read from cache [trust]'],
  ['init-network/search-MAAS', 'searching for network data from DataSourceMAAS'],
  ['init-network/consume-user-data', 'reading and applying user-data'],
  ['init-network/consume-vendor-data', 'reading and applying vendor-data'],
  ['init-network/setup-datasource', 'setting up datasource'],
  ['init-network/config-set_hostname', 'running config-set_hostname with frequency once-per-instance'],
  ['init-network/config-users-groups', 'running config-users-groups with frequency once-per-instance'],
  ['init-network/config-ssh', 'running config-ssh with frequency once-per-instance'],
  ['modules-config/config-apt-configure', 'running config-apt-configure with frequency once-per-instance'],
  ['modules-config/config-timezone', 'running config-timezone with frequency once-per-instance'],
  ['modules-final/config-scripts-user', 'running config-scripts-user with frequency once-per-instance'],
  ['modules-final/config-final-message', 'running config-final-message with frequency always'],
] as const;

/** Boot the installed system up to its login prompt. @throws the signal's reason when the power goes; Error when it has no datasource. */
export async function runInstalledSystem(system: InstalledSystem, environment: Environment, reports: number): Promise<SystemBoot> {
  const { root, disk } = system;
  const { address: from, pace, faults, signal, say, reach, work } = environment;
  await reach('system');
  await work(20);
  const seed = readSeed(root.files.get(seedFile)?.content.toString('utf8') ?? '');
  const hosts = root.files.get(hostsFile)?.content.toString('utf8') ?? '';
  const talk = new Conversation({ url: originsOf(seed.metadataUrl, hosts), from, pace, faults, signal, say });
  talk.key = seed.key;
  await reach('cloud-init');
  const read = async (path: string, what: 'meta-data' | 'user-data'): Promise<string | undefined> => {
    try {
      return (await talk.call({ what, method: 'GET', path: `${new URL(seed.metadataUrl).pathname}/${version}/${path}` })).body.toString(
        'utf8',
      );
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return undefined;
      throw error;
    }
  };
  const instanceId = await read('meta-data/instance-id', 'meta-data');
  if (instanceId === undefined) throw new Error('the metadata has no instance-id');
  const hostname = (await read('meta-data/local-hostname', 'meta-data')) ?? '';
  const keys = (await read('meta-data/public-keys', 'meta-data')) ?? '';
  await read('meta-data/vendor-data', 'meta-data');
  const userData = (await read('user-data', 'user-data')) ?? '';
  const first = root.files.get(stateFile)?.content.toString('utf8') !== instanceId;
  if (first) {
    disk.writeFile(environment, root, stateFile, '0644', Buffer.from(instanceId));
    disk.writeFile(environment, root, machineIdFile, '0444', Buffer.from(randomBytes(16).toString('hex')));
  }
  // A later boot of the same instance runs a handful of modules, not all of them.
  const told = await report(seed, hosts, environment, first ? reports : Math.min(reports, 4));
  return {
    instanceId,
    hostname,
    machineId: machineId(root),
    publicKeys: keys.split('\n').filter((key) => key !== '').length,
    userData,
    reports: told,
  };
}

function machineId(root: FileSystem): string {
  return root.files.get(machineIdFile)?.content.toString('utf8') ?? '';
}

/** Post events; one that is lost is lost, as with cloud-init. Returns how many were taken. */
async function report(seed: CloudSeed, hosts: string, environment: Environment, count: number): Promise<number> {
  if (seed.reporting === undefined) return 0;
  const { address: from, pace, faults, signal, say, work } = environment;
  const talk = new Conversation({ url: originsOf(seed.reporting.endpoint, hosts), from, pace, faults, signal, say });
  talk.key = seed.reporting.key;
  let taken = 0;
  for (let index = 0; index < count; index += 1) {
    const [name, description] = stages[Math.floor(index / 2) % stages.length] ?? stages[0];
    const event = {
      name,
      description,
      event_type: index % 2 === 0 ? 'start' : 'finish',
      origin: 'cloudinit',
      timestamp: Date.now() / 1000,
    };
    const form = JSON.stringify(index % 2 === 0 ? event : { ...event, result: 'SUCCESS' });
    try {
      const reply = await talk.once({ what: 'status', method: 'POST', path: new URL(seed.reporting.endpoint).pathname, form });
      if (reply.status < 300) taken += 1;
    } catch (error) {
      signal.throwIfAborted();
      say(`status report: ${(error as Error).message}`);
    }
    await work(1);
  }
  return taken;
}
