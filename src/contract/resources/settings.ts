/** Settings of the whole fleet, by name. The names are MAAS's where MAAS has the setting. */
import { Type } from 'typebox';
import { get, optional, post, required, resource } from '../route.ts';

const name = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-z0-9_]+$' });

export const settings = {
  ...resource('Maas', 'maas/', 'Settings of the whole fleet.', {
    get_config: get({
      op: 'get_config',
      doc: 'Read one setting: a bare JSON value.',
      params: { name: required(name, 'The name of the setting, such as default_distro_series.') },
      reply: Type.Unknown(),
      errors: ['bad_request'],
      policy: 'user',
      reach: 'hub',
    }),
    set_config: post({
      op: 'set_config',
      doc: 'Change one setting.',
      params: {
        name: required(name, 'The name of the setting.'),
        value: optional(Type.String({ maxLength: 65_536 }), 'The new value; left out, empty.'),
      },
      reply: Type.Literal('OK'),
      type: 'text',
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};

export interface SettingRule {
  readonly kind: 'text' | 'number' | 'boolean';
  /** What holds until somebody sets it. */
  readonly value: string | number | boolean;
  readonly doc: string;
}

/** The settings that something reads; asking for another is refused. */
export const settingRules = {
  maas_name: { kind: 'text', value: 'muster', doc: 'What people call this fleet.' },
  default_osystem: { kind: 'text', value: 'debian', doc: 'The system that is deployed when none is named.' },
  default_distro_series: { kind: 'text', value: '12', doc: 'The release that is deployed when none is named.' },
  kernel_opts: { kind: 'text', value: '', doc: 'Words for the kernel command line of the ephemeral environment and of deployed machines.' },
  upstream_dns: { kind: 'text', value: '', doc: 'Resolvers to ask for names that no cell knows, separated by spaces.' },
  ntp_servers: { kind: 'text', value: '', doc: 'Time servers to tell machines of, separated by spaces.' },
  http_proxy: { kind: 'text', value: '', doc: 'A proxy that machines use.' },
  enable_disk_erasing_on_release: { kind: 'boolean', value: false, doc: 'Erase disks at every release.' },
  disk_erase_with_quick_erase: {
    kind: 'boolean',
    value: true,
    doc: 'Erase only the beginning, the end and all signatures, unless a release says otherwise.',
  },
  enlist_commissioning: {
    kind: 'boolean',
    value: false,
    doc: 'Commission machines as soon as they have enlisted themselves and their power settings are known.',
  },
  node_timeout: { kind: 'number', value: 30, doc: 'Minutes without a sign of life after which a step of an operation has failed.' },
} as const satisfies Record<string, SettingRule>;

export type SettingName = keyof typeof settingRules;
