/** What a cell is told from outside: one schema with defaults. `main.ts` fills it from the TOML file, `MUSTER_*` and flags. */
import { Type, type Static } from 'typebox';

export const CellConfig = Type.Object({
  name: Type.String({ pattern: '^(?!hub$)[a-z][a-z0-9-]{0,30}$', description: 'The name of the cell: a label of DNS names, and not hub.' }),
  /** A standalone cell draws one at random at its first start and keeps it; a joined cell has the hub's. */
  number: Type.Optional(Type.Integer({ minimum: 1, maximum: 13_823 })),
  site: Type.String({ default: 'muster', description: 'Machines are named <host>.<cell>.<site>.' }),
  folder: Type.String({ description: 'The data folder: keys, epoch file, embedded PostgreSQL, images, DHCP.' }),
  database_url: Type.Optional(Type.String({ description: 'An external PostgreSQL, 15 or newer; left out: an embedded one.' })),
  service_address: Type.String({ default: '127.0.0.1', description: "This process' address, and what machines are given of it." }),
  service_addresses: Type.Optional(
    Type.Array(Type.String(), {
      description: 'All addresses that machines are given, the same for every process of the cell; left out: service_address alone.',
    }),
  ),
  process_name: Type.Optional(Type.String({ description: 'What this process of the cell is called; left out: the host name.' })),
  trust_database: Type.Optional(
    Type.Boolean({
      description: 'Start with an empty data folder on a database that is in use, when no other process of the cell is up to vouch for it.',
    }),
  ),
  port: Type.Integer({ default: 5240, minimum: 0, maximum: 65_535 }),
  /** Further addresses to listen on: the veth to the host. */
  listen: Type.Array(Type.String(), { default: [] }),
  rack: Type.Array(Type.Object({ name: Type.String(), address: Type.String() }), {
    default: [],
    description: "Interfaces to machines, with the cell's own address and prefix there.",
  }),
  dhcp: Type.Boolean({ default: false, description: 'Run Kea on the rack interfaces. Never on another network.' }),
  tftp_port: Type.Integer({ default: 69, minimum: 0, maximum: 65_535, description: '0: no TFTP.' }),
  lease_seconds: Type.Integer({ default: 600, minimum: 60 }),
  images: Type.Optional(Type.String({ description: 'The image folder; left out: images/ in the data folder.' })),
  image_sources: Type.Array(Type.String(), { default: [], description: 'Base URLs that serve <sha256>/<name>.' }),
  kernel_parameters: Type.String({ default: 'console=ttyS0,115200', description: 'For the ephemeral environment.' }),
  keep_events_days: Type.Integer({ default: 30, minimum: 1, description: 'Events older than this are trimmed.' }),
  destructive_per_call: Type.Optional(
    Type.Integer({ minimum: 1, description: 'How many machines one call may release, erase or deploy; left out, 2500.' }),
  ),
  destructive_per_minute: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'How many machines each process of this cell releases, erases or deploys in a minute, whoever asks; left out, 5000.',
    }),
  ),
  slowest_bmc_seconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'How long a BMC may take to act on an order of which nobody knows whether it arrived; left out, 200.',
    }),
  ),
  launchpad_url: Type.Optional(
    Type.String({ description: 'Where SSH keys of lp:USER are imported from; left out, https://launchpad.net.' }),
  ),
  github_url: Type.Optional(Type.String({ description: 'Where SSH keys of gh:USER are imported from; left out, https://github.com.' })),
  boot_slots: Type.Integer({ default: 64, minimum: 1, description: 'How many machines may be starting at once.' }),
});
export type CellConfig = Static<typeof CellConfig>;

/** The same for `muster cell join`: the name may be left out, for the hub gives it to a cell that has none. */
export const CellJoinConfig = Type.Object({ ...CellConfig.properties, name: Type.Optional(CellConfig.properties.name) });
