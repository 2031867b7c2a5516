/**
 * What machines ask their cell: the metadata contract of cloud-init's MAAS datasource (maas-api.md §5) and the calls of our own agent
 * (docs/agent-protocol.md). A front never forwards any of it: a machine knows only its cell's service address.
 *
 * `machine` here is a boot credential (the ephemeral environment) or a system credential (the installed system, which may only read and
 * post its status). The handler judges which of the two it is.
 */
import { Type } from 'typebox';
import { get, optional, post, required, resource } from '../route.ts';
import { signalStatuses } from '../metadata.ts';
import { MacAddress, Nothing, oneOf } from './field.ts';

const hex32 = Type.String({ pattern: '^[0-9a-f]{32}$' });
const bootId = required(hex32, 'The random id that the agent drew when it started.');
const macs = required(Type.Array(MacAddress, { minItems: 1, maxItems: 256 }), 'The MAC address of an interface; repeated for each.');
const hardwareText = Type.String({ maxLength: 255 });

const text = { reply: Type.String(), type: 'text', policy: 'machine', reach: 'own' } as const;
const open = { reply: Type.String(), type: 'text', policy: 'anonymous', reach: 'own' } as const;

export const metadata = {
  ...resource(
    'MetadataIndex',
    '',
    'The versions of the metadata contract.',
    { read: get({ doc: 'List the versions, one a line.', ...open }) },
    'metadata',
  ),
  ...resource(
    'Metadata',
    '{version}/',
    'What a machine may know about itself. The version is latest or 2012-03-01.',
    {
      read: get({ doc: 'List what there is, one a line.', errors: ['not_found'], ...text }),
      signal: post({
        op: 'signal',
        doc: 'Tell how a script or a whole run goes.\n\nFiles are sent under the name of the script: NAME is all output, NAME.out and NAME.err its parts, NAME.yaml its result.',
        params: {
          status: required(oneOf(...signalStatuses), 'How it goes: WORKING, OK, FAILED, or what is going on.'),
          error: optional(Type.String({ maxLength: 65_536 }), 'What went wrong.'),
          name: optional(hardwareText, 'The script it is about.'),
          script_result_id: optional(Type.Integer({ minimum: 0 }), 'The result it is about.'),
          script_version_id: optional(Type.Integer({ minimum: 0 }), 'The version of the script that ran.'),
          exit_status: optional(Type.Integer(), 'What the script exited with.'),
          runtime: optional(Type.Number({ minimum: 0 }), 'How long it ran, in seconds.'),
        },
        free: true,
        errors: ['wrong_state', 'bad_request'],
        ...text,
      }),
      netboot_off: post({
        op: 'netboot_off',
        doc: 'Say that the installation is done.\n\nAnswers OK and changes nothing: what a machine boots follows from its ticket.',
        ...text,
      }),
      netboot_on: post({ op: 'netboot_on', doc: 'Accepted for older agents; answers OK and changes nothing.', ...text }),
    },
    'metadata',
  ),
  ...resource(
    'MetaData',
    '{version}/meta-data/',
    'Facts about the machine that asks.',
    { read: get({ doc: 'List the names of the facts, one a line.', errors: ['not_found'], ...text }) },
    'metadata',
  ),
  ...resource(
    'MetaDataItem',
    '{version}/meta-data/{item}',
    'One fact about the machine that asks: instance-id, local-hostname, public-keys, vendor-data or x509.',
    { read: get({ doc: 'Read one fact.', errors: ['not_found'], ...text }) },
    'metadata',
  ),
  ...resource(
    'UserData',
    '{version}/user-data',
    'What cloud-init shall do on the machine that asks.',
    {
      read: get({
        doc: 'Read the user-data.\n\nAn installed system that reads it with its system credential has come up: the machine is Deployed once its ticket is spent.',
        reply: Type.Unknown(),
        type: 'binary',
        errors: ['not_found'],
        policy: 'machine',
        reach: 'own',
      }),
    },
    'metadata',
  ),
  ...resource(
    'MaasScripts',
    '{version}/maas-scripts',
    'The scripts that the machine is to run next.',
    {
      read: get({
        doc: 'Fetch the scripts as a tar archive with index.json and index.tsv; 204 when there is nothing more to run.',
        reply: Type.Unknown(),
        type: 'tar',
        errors: ['not_found'],
        policy: 'machine',
        reach: 'own',
      }),
    },
    'metadata',
  ),
  ...resource(
    'MetadataById',
    '{version}/by-id/{system_id}/',
    'What a machine may ask before it has a credential.',
    {
      get_preseed: get({
        op: 'get_preseed',
        doc: 'Fetch the cloud-config that starts a boot.\n\nWith the nonce of a live ticket it holds the boot credential; without, nothing of value.',
        params: {
          nonce: optional(hex32, 'The nonce of the kernel command line.'),
          boot_id: optional(hex32, 'The random id of this boot.'),
        },
        errors: ['not_found', 'forbidden'],
        reply: Type.String(),
        type: 'text',
        policy: 'nonce',
        reach: 'own',
      }),
      netboot_off: post({
        op: 'netboot_off',
        doc: 'Say that the installation is done.\n\nAnswers OK and changes nothing: what a machine boots follows from its ticket.',
        params: { nonce: optional(hex32, 'The nonce of the kernel command line.') },
        ...open,
      }),
    },
    'metadata',
  ),
  ...resource(
    'EnlistPreseed',
    '{version}/enlist-preseed/',
    'The cloud-config for machines that nobody knows.',
    { get_enlist_preseed: get({ op: 'get_enlist_preseed', doc: 'Fetch the cloud-config that enlists a machine.', ...open }) },
    'metadata',
  ),
  ...resource(
    'EnlistMetaData',
    'enlist/{version}/meta-data/',
    'Facts for machines that nobody knows.',
    { read: get({ doc: 'List the names of the facts, one a line.', ...open }) },
    'metadata',
  ),
  ...resource(
    'EnlistMetaDataItem',
    'enlist/{version}/meta-data/{item}',
    'One fact for machines that nobody knows: instance-id or local-hostname.',
    { read: get({ doc: 'Read one fact; it is the same for all.', errors: ['not_found'], ...open }) },
    'metadata',
  ),
  ...resource(
    'EnlistUserData',
    'enlist/{version}/user-data',
    'What cloud-init shall do on a machine that nobody knows.',
    { read: get({ doc: 'Read the user-data that enlists a machine.', errors: ['not_found'], ...open }) },
    'metadata',
  ),
  ...resource(
    'MachineStatus',
    'status/{system_id}',
    'Where cloud-init reports what it does.',
    {
      report: post({
        doc: 'Report one event, as JSON.\n\nThe body has event_type (start, progress or finish), origin, name and description, and may have result, timestamp and files.',
        raw: true,
        reply: Nothing,
        status: 204,
        type: 'none',
        errors: ['bad_request', 'not_found'],
        policy: 'machine',
        reach: 'own',
      }),
    },
    'metadata',
  ),
  ...resource(
    'AgentEnlist',
    'agent/enlist',
    'A machine that nobody knows makes itself known.',
    {
      create: post({
        doc: 'Enlist a machine.\n\nThe reply says what to do next: power off, or boot the local disk when a deployment marker was found. The only anonymous call that writes, and only on VLANs that enlist.',
        params: {
          boot_id: bootId,
          mac: macs,
          hardware_uuid: optional(hardwareText, 'The UUID that SMBIOS tells.'),
          serial: optional(hardwareText, 'The serial number that SMBIOS tells.'),
          architecture: required(hardwareText, 'The architecture, such as amd64.'),
          firmware: optional(oneOf('bios', 'uefi'), 'What it booted with.'),
          marker: optional(Type.String({ maxLength: 512 }), 'The deployment marker that was found on a disk.'),
        },
        errors: ['forbidden', 'bad_request'],
        ...open,
      }),
    },
    'metadata',
  ),
  ...resource(
    'AgentCheckIn',
    'agent/check-in',
    'A machine trades its nonce for a boot credential.',
    {
      create: post({
        doc: 'Check in.\n\nThe credential is bound to this boot id and to the address that it was asked from. The same boot gets the same answer again.',
        params: {
          nonce: required(hex32, 'The nonce of the kernel command line.'),
          boot_id: bootId,
          mac: macs,
          hardware_uuid: optional(hardwareText, 'The UUID that SMBIOS tells.'),
        },
        reply: Type.String(),
        type: 'text',
        errors: ['forbidden'],
        policy: 'nonce',
        reach: 'own',
      }),
    },
    'metadata',
  ),
  ...resource(
    'AgentClaim',
    'agent/claim',
    'The right to write to disks.',
    {
      create: post({
        doc: 'Claim the ticket of this boot.\n\nThe first boot id gets it. Refused when a disk holds what this cell does not account for. The reply is the plan as a POSIX shell script.',
        params: {
          boot_id: bootId,
          disk: required(
            Type.Array(Type.String({ maxLength: 8192 }), { maxItems: 1024 }),
            'One disk, URL-encoded: name, serial, wwn, size, block_size, model, signatures, marker; repeated for each.',
          ),
        },
        reply: Type.String(),
        type: 'sh',
        errors: ['claim_refused', 'database_away'],
        policy: 'machine',
        reach: 'own',
      }),
    },
    'metadata',
  ),
  ...resource(
    'AgentSpend',
    'agent/spend',
    'The end of a ticket.',
    {
      create: post({
        doc: 'Say that the work of this boot is done, or that it failed.\n\nThe ticket is spent; the reply says whether to reboot or to power off.',
        params: {
          boot_id: bootId,
          outcome: required(oneOf('done', 'failed'), 'How it ended.'),
          detail: optional(Type.String({ maxLength: 65_536 }), 'What went wrong.'),
          disk: optional(
            Type.Array(Type.String({ maxLength: 8192 }), { maxItems: 1024 }),
            'One disk as it is now, written as in a claim; repeated for each.',
          ),
        },
        errors: ['claim_refused', 'wrong_state'],
        ...text,
      }),
    },
    'metadata',
  ),
  ...resource(
    'AgentHeartbeat',
    'agent/heartbeat',
    'A sign of life.',
    {
      create: post({
        doc: 'Say what is going on.\n\nThe reply says whether to go on, or to power off because somebody has aborted.',
        params: {
          boot_id: bootId,
          step: optional(hardwareText, 'What the agent is doing.'),
          percent: optional(Type.Number({ minimum: 0, maximum: 100 }), 'How much of it is done.'),
        },
        ...text,
      }),
    },
    'metadata',
  ),
};
