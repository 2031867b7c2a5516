// The power drivers described as data: what `op=describe_power_types` shows, what the UI draws as a form, and what decides
// whether a BMC's settings are acceptable. Names and defaults are MAAS's (maas-api.md §7), so that its clients' forms fit.
// It says nothing of how a driver works (`src/cell/power/`), and never holds a value of a setting.

export type PowerFieldKind = 'string' | 'password' | 'choice' | 'multiple_choice' | 'mac_address';

/** One setting of a driver. `scope` says whether it belongs to the BMC or to one machine behind it. */
export type PowerField = {
  readonly name: string;
  readonly label: string;
  readonly field_type: PowerFieldKind;
  /** `[value, label]` pairs; empty unless the kind is a choice. */
  readonly choices: readonly (readonly [string, string])[];
  readonly default: string | readonly string[];
  readonly required: boolean;
  readonly scope: 'bmc' | 'node';
  readonly secret: boolean;
};

/** One driver as `describe_power_types` shows it. */
export type PowerType = {
  readonly driver_type: 'power';
  readonly name: string;
  readonly description: string;
  readonly chassis: boolean;
  readonly can_probe: boolean;
  readonly queryable: boolean;
  readonly missing_packages: readonly string[];
  readonly fields: readonly PowerField[];
};

function field(name: string, label: string, rest: Partial<PowerField> = {}): PowerField {
  return {
    name,
    label,
    field_type: 'string',
    choices: [],
    default: '',
    required: false,
    scope: 'bmc',
    secret: false,
    ...rest,
  };
}

const address = field('power_address', 'Address (host, host:port or [IPv6]:port)', { required: true });

export const powerTypes = [
  {
    driver_type: 'power',
    name: 'ipmi',
    description: 'IPMI',
    chassis: false,
    can_probe: false,
    queryable: true,
    missing_packages: [],
    fields: [
      field('power_driver', 'Power driver', {
        field_type: 'choice',
        choices: [
          ['LAN', 'LAN [IPMI 1.5]'],
          ['LAN_2_0', 'LAN_2_0 [IPMI 2.0]'],
        ],
        default: 'LAN_2_0',
        required: true,
      }),
      field('power_boot_type', 'Power boot type', {
        field_type: 'choice',
        choices: [
          ['auto', 'Automatic'],
          ['legacy', 'Legacy boot'],
          ['efi', 'EFI boot'],
        ],
        default: 'auto',
      }),
      address,
      field('power_user', 'Power user'),
      field('power_pass', 'Power password', { field_type: 'password', secret: true }),
      field('k_g', 'K_g BMC key', { field_type: 'password', secret: true }),
      field('cipher_suite_id', 'Cipher suite ID', {
        field_type: 'choice',
        choices: [
          ['17', '17 - HMAC-SHA256::HMAC_SHA256_128::AES-CBC-128'],
          ['3', '3 - HMAC-SHA1::HMAC-SHA1-96::AES-CBC-128'],
          ['', "The tool's default"],
          ['8', '8 - HMAC-MD5::HMAC-MD5-128::AES-CBC-128'],
          ['12', '12 - HMAC-MD5::MD5-128::AES-CBC-128'],
        ],
        default: '3',
      }),
      field('privilege_level', 'Privilege level', {
        field_type: 'choice',
        choices: [
          ['USER', 'User'],
          ['OPERATOR', 'Operator'],
          ['ADMIN', 'Administrator'],
        ],
        default: 'OPERATOR',
      }),
      field('workaround_flags', 'Workaround flags', {
        field_type: 'multiple_choice',
        choices: [
          ['opensesspriv', 'Opensesspriv'],
          ['authcap', 'Authcap'],
          ['idzero', 'Idzero'],
          ['unexpectedauth', 'Unexpectedauth'],
          ['forcepermsg', 'Forcepermsg'],
          ['endianseq', 'Endianseq'],
          ['intel20', 'Intel20'],
          ['supermicro20', 'Supermicro20'],
          ['sun20', 'Sun20'],
          ['nochecksumcheck', 'Nochecksumcheck'],
          ['integritycheckvalue', 'Integritycheckvalue'],
          ['ipmiping', 'Ipmiping'],
          ['', 'None'],
        ],
        default: ['opensesspriv'],
      }),
      field('mac_address', 'Power MAC', { field_type: 'mac_address', scope: 'node' }),
      field('power_off_mode', 'Power off mode', {
        field_type: 'choice',
        choices: [
          ['hard', 'Hard power off'],
          ['soft', 'Soft power off'],
        ],
        default: 'hard',
      }),
    ],
  },
  {
    driver_type: 'power',
    name: 'redfish',
    description: 'Redfish',
    chassis: true,
    can_probe: false,
    queryable: true,
    missing_packages: [],
    fields: [
      address,
      field('power_user', 'Redfish user', { required: true }),
      field('power_pass', 'Redfish password', { field_type: 'password', required: true, secret: true }),
      field('node_id', 'Node ID', { scope: 'node' }),
      // Not in MAAS, which never checks a BMC's certificate.
      field('power_verify_ssl', "Check the BMC's certificate", {
        field_type: 'choice',
        choices: [
          ['y', 'Yes'],
          ['n', 'No: accept any certificate'],
        ],
        default: 'y',
      }),
    ],
  },
  {
    driver_type: 'power',
    name: 'manual',
    description: 'Manual',
    chassis: false,
    can_probe: false,
    queryable: false,
    missing_packages: [],
    fields: [],
  },
] as const satisfies readonly PowerType[];

export type PowerTypeName = (typeof powerTypes)[number]['name'];

/** A BMC's settings by field name; a multiple choice is a list. */
export type PowerParameters = Readonly<Record<string, string | readonly string[]>>;

/** The description of one driver, or nothing when there is no such driver. */
export function powerType(name: string): PowerType | undefined {
  return powerTypes.find((type) => type.name === name);
}
