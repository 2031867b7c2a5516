/**
 * The settings of the fleet, by MAAS's names: what each may be, and what holds until somebody sets it. Those that nothing here reads are
 * `kept`: they can be set and read back, so that programs written for MAAS go on, and docs/compatibility.md names them.
 */

export interface SettingRule {
  readonly kind: 'text' | 'number' | 'boolean' | 'choice' | 'hosts' | 'url';
  /** What holds until somebody sets it; null: nothing. What may be null is set to it by an empty value. */
  readonly value: string | number | boolean | null;
  readonly doc: string;
  /** Of a choice. */
  readonly choices?: readonly (string | number)[];
  /** Of a number. */
  readonly minimum?: number;
  readonly maximum?: number;
  /** Of a text, as a regular expression. */
  readonly pattern?: string;
  /** Only administrators read it. */
  readonly secret?: true;
  /** Nothing here reads it. */
  readonly kept?: true;
}

const port = { kind: 'number', minimum: 1, maximum: 65_535, kept: true } as const;
const flag = (value: boolean, doc: string) => ({ kind: 'boolean', value, doc, kept: true }) as const;
const word = { kind: 'text', pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$' } as const;

const general = {
  maas_name: { kind: 'text', value: 'muster', pattern: '\\S', doc: 'What people call this fleet.', kept: true },
  theme: { ...word, value: null, doc: "The colours of MAAS's pages.", kept: true },
  completed_intro: flag(true, "Whether MAAS's introduction has been gone through."),
  enable_analytics: flag(false, 'Whether usage is reported. Nothing is, whatever it says.'),
  release_notifications: flag(false, 'Whether new releases are told of.'),
  session_length: {
    kind: 'number',
    value: 1_209_600,
    minimum: 10,
    maximum: 1_209_600,
    doc: 'Seconds that a session of MAAS lasts.',
    kept: true,
  },
  tls_port: { ...port, value: null, doc: 'The port of TLS.' },
  tls_cert_expiration_notification_enabled: flag(false, 'Whether to warn before a certificate ends.'),
  tls_cert_expiration_notification_interval: { kind: 'number', value: 30, minimum: 1, maximum: 90, doc: 'Days before.', kept: true },
  remote_syslog: { kind: 'hosts', value: null, doc: 'A host, and a port if need be, that gets all logs.', kept: true },
  maas_syslog_port: { ...port, value: 5247, doc: 'The port of the log server.' },
  prometheus_enabled: flag(false, 'Whether measurements are pushed; /metrics is there in any case.'),
  prometheus_push_gateway: { kind: 'hosts', value: null, doc: 'Where to.', kept: true },
  prometheus_push_interval: { kind: 'number', value: 60, minimum: 1, maximum: 86_400, doc: 'Every how many seconds.', kept: true },
} as const satisfies Record<string, SettingRule>;

const network = {
  upstream_dns: {
    kind: 'hosts',
    value: null,
    doc: 'Resolvers that machines are told of where their subnet names none: addresses, separated by spaces.',
  },
  dnssec_validation: {
    kind: 'choice',
    value: 'auto',
    choices: ['auto', 'yes', 'no'],
    doc: 'Whether answers of those are verified.',
    kept: true,
  },
  dns_trusted_acl: {
    kind: 'text',
    value: null,
    pattern: '^[0-9A-Za-z.:/_ ,-]+$',
    doc: 'Further networks that may ask for names.',
    kept: true,
  },
  default_dns_ttl: { kind: 'number', value: 30, minimum: 1, maximum: 604_800, doc: 'Seconds that a name may be remembered.', kept: true },
  maas_internal_domain: { ...word, value: 'maas-internal', doc: "The domain of MAAS's own names.", kept: true },
  ntp_servers: {
    kind: 'hosts',
    value: null,
    doc: 'Time servers that machines are told of, separated by spaces. Only addresses reach them.',
  },
  ntp_external_only: flag(false, 'Whether machines ask those and not the rack.'),
  network_discovery: {
    kind: 'choice',
    value: 'enabled',
    choices: ['enabled', 'disabled'],
    doc: 'Whether networks are watched for neighbours.',
    kept: true,
  },
  active_discovery_interval: {
    kind: 'choice',
    value: 10_800,
    choices: [0, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800],
    doc: 'Every how many seconds networks are scanned; 0: never.',
    kept: true,
  },
  default_boot_interface_link_type: {
    kind: 'choice',
    value: 'auto',
    choices: ['auto', 'dhcp', 'static'],
    doc: 'How boot interfaces are linked.',
    kept: true,
  },
  subnet_ip_exhaustion_threshold_count: {
    kind: 'number',
    value: 16,
    minimum: 0,
    maximum: 65_535,
    doc: 'With so few free addresses a subnet is warned of.',
    kept: true,
  },
  http_proxy: { kind: 'url', value: null, doc: 'A proxy that machines use.', kept: true },
  enable_http_proxy: flag(true, 'Whether machines use it.'),
  use_peer_proxy: flag(false, 'Whether it is asked by a proxy of the rack.'),
  use_rack_proxy: flag(true, 'Whether machines go through the rack.'),
  prefer_v4_proxy: flag(false, 'Whether that one prefers IPv4.'),
  maas_proxy_port: { ...port, value: 8000, doc: 'Its port.' },
  main_archive: { kind: 'url', value: 'http://deb.debian.org/debian', doc: 'The archive of amd64 and i386.', kept: true },
  ports_archive: { kind: 'url', value: 'http://deb.debian.org/debian', doc: 'The archive of the other architectures.', kept: true },
} as const satisfies Record<string, SettingRule>;

const deploying = {
  default_osystem: { ...word, value: 'debian', doc: 'The system that is deployed when none is named.' },
  default_distro_series: { ...word, value: '12', doc: 'The release that is deployed when none is named.' },
  default_min_hwe_kernel: {
    kind: 'text',
    value: '',
    pattern: '^[A-Za-z0-9._-]*$',
    doc: 'The oldest kernel that is installed.',
    kept: true,
  },
  default_storage_layout: {
    kind: 'choice',
    value: 'flat',
    choices: ['flat', 'lvm', 'bcache', 'vmfs6', 'vmfs7', 'blank', 'custom'],
    doc: 'How disks are laid out when nobody says.',
  },
  kernel_opts: {
    kind: 'text',
    value: null,
    pattern: '^ *([A-Za-z0-9][A-Za-z0-9_.-]{0,63}(=[A-Za-z0-9_.,:/@%+=~-]{0,512})?( +|$))*$',
    doc: 'Words for the kernel command line of the ephemeral environment and of deployed machines.',
  },
  enable_kernel_crash_dump: flag(false, 'Whether kernels that crash leave a dump.'),
  enable_third_party_drivers: flag(true, 'Whether drivers of third parties are installed.'),
  curtin_verbose: flag(true, 'Whether the installer tells everything.'),
  force_v1_network_yaml: flag(false, 'Whether networks are described in the older form.'),
  hardware_sync_interval: {
    kind: 'text',
    value: '15m',
    pattern: '^(?=.)([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,4}s)?$',
    doc: 'How often deployed machines report their hardware.',
    kept: true,
  },
  windows_kms_host: { kind: 'hosts', value: null, doc: 'The licence server of Windows.', kept: true },
  vcenter_server: { kind: 'hosts', value: null, doc: 'Where VMware is registered.', kept: true },
  vcenter_username: { kind: 'text', value: null, doc: 'By whom.', kept: true },
  vcenter_password: { kind: 'text', value: null, doc: 'With what.', kept: true, secret: true },
  vcenter_datacenter: { kind: 'text', value: null, doc: 'In which data centre.', kept: true },
  boot_images_auto_import: {
    kind: 'boolean',
    value: true,
    doc: 'Whether images are imported by themselves, an hour after the last import.',
  },
  boot_images_no_proxy: flag(false, 'Whether that goes past the proxy.'),
} as const satisfies Record<string, SettingRule>;

const life = {
  commissioning_osystem: { ...word, value: 'debian', doc: 'The system of the ephemeral environment.', kept: true },
  commissioning_distro_series: { ...word, value: '12', doc: 'The release of the ephemeral environment.', kept: true },
  enlist_commissioning: flag(false, 'Whether machines are commissioned as soon as they have enlisted themselves.'),
  node_timeout: { kind: 'number', value: 30, minimum: 1, maximum: 10_080, doc: 'Minutes that a step may take.', kept: true },
  max_node_commissioning_results: {
    kind: 'number',
    value: 10,
    minimum: 1,
    maximum: 1_000,
    doc: 'Results of commissioning that are kept.',
    kept: true,
  },
  max_node_testing_results: { kind: 'number', value: 10, minimum: 1, maximum: 1_000, doc: 'Results of tests that are kept.', kept: true },
  max_node_installation_results: {
    kind: 'number',
    value: 3,
    minimum: 1,
    maximum: 1_000,
    doc: 'Results of installations that are kept.',
    kept: true,
  },
  enable_disk_erasing_on_release: { kind: 'boolean', value: false, doc: 'Erase disks at every release.' },
  disk_erase_with_secure_erase: flag(false, "Whether the disks' own secure erase is tried."),
  disk_erase_with_quick_erase: {
    kind: 'boolean',
    value: true,
    doc: 'Erase only the beginning, the end and all signatures, unless a release says otherwise.',
  },
  maas_auto_ipmi_user: { ...word, value: 'maas', doc: 'The account that is made on BMCs.', kept: true },
  maas_auto_ipmi_user_privilege_level: {
    kind: 'choice',
    value: 'ADMIN',
    choices: ['ADMIN', 'OPERATOR', 'USER'],
    doc: 'What it may do.',
    kept: true,
  },
  maas_auto_ipmi_k_g_bmc_key: { kind: 'text', value: null, doc: 'The key of the BMCs.', kept: true, secret: true },
  maas_auto_ipmi_cipher_suite_id: {
    kind: 'choice',
    value: '3',
    choices: ['17', '3', '8', '12', ''],
    doc: 'How they are spoken to.',
    kept: true,
  },
  maas_auto_ipmi_workaround_flags: {
    kind: 'text',
    value: null,
    pattern: '^[a-z0-9_, \\[\\]"]+$',
    doc: 'What FreeIPMI works around.',
    kept: true,
  },
} as const satisfies Record<string, SettingRule>;

export const settingRules = { ...general, ...network, ...deploying, ...life };

export type SettingName = keyof typeof settingRules;

/** What the value of a setting can be. */
export type SettingValue<N extends SettingName> =
  | ((typeof settingRules)[N]['value'] extends infer V
      ? V extends boolean
        ? boolean
        : V extends number
          ? number
          : V extends string
            ? string
            : null
      : never)
  | ((typeof settingRules)[N]['value'] extends null ? string | null : never);
