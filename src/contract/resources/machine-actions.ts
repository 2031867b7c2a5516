/** One machine: reading and changing it, and everything that can be asked of it. What its state allows is in contract/lifecycle.ts. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, resource } from '../route.ts';
import { Comment, Description, Dictionary, Hostname, Nothing, oneOf } from './field.ts';
import { Machine, PowerState } from './machine.ts';

const comment = optional(Comment, 'A remark for the event log.');

const scriptNames = Type.String({ maxLength: 4096 });
const testingScripts = optional(scriptNames, 'Testing scripts to run, names or tags separated by commas; none for none.');
const scriptParameters = optional(
  Dictionary,
  'Parameters of scripts, each as parameters_NAME. No script takes any yet, so anything here is refused.',
);
/** What installed systems would do in MAAS and do not do here: refused rather than left out silently. */
const notDone = optional(Type.Boolean(), 'Not built: true is refused.');
const enableSsh = optional(Type.Boolean(), 'Not built yet: true is refused. Use rescue mode to log in to a machine.');

/** What a commissioning may be asked for, at once when a machine is added, or later. */
export const commissionOptions = {
  commissioning_scripts: optional(scriptNames, 'Commissioning scripts to run, names or tags separated by commas; left out, all of them.'),
  testing_scripts: testingScripts,
  skip_networking: optional(Type.Boolean(), 'Keep what is known of its interfaces.'),
  skip_storage: optional(Type.Boolean(), 'Keep what is known of its disks.'),
  skip_bmc_config: optional(Type.Boolean(), 'Accepted for clients that send it: the settings of a BMC are never changed.'),
  enable_ssh: enableSsh,
} as const;

/** What a change of state may be refused for, whoever asks. */
const stateErrors = ['not_found', 'not_owner', 'wrong_state', 'machine_busy', 'conflict'] as const;

export const machineActions = {
  ...resource('Machine', 'machines/{system_id}/', 'One machine.', {
    read: get({ doc: 'Read a machine.', reply: Machine, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a machine.\n\nPower settings are tried before they are stored, and refused when the BMC does not answer to them.',
      params: {
        hostname: optional(Hostname, 'The new host name.'),
        description: optional(Description, 'The new description.'),
        domain: optional(Type.String(), 'The name or id of its new domain, in the same cell.'),
        architecture: optional(Type.String(), 'The new architecture, such as amd64/generic.'),
        min_hwe_kernel: optional(Type.String(), 'The oldest kernel it runs with.'),
        power_type: optional(Type.String(), 'The power driver, such as ipmi, redfish or manual.'),
        power_parameters: optional(Dictionary, 'Settings of the power driver, each as power_parameters_NAME, or all in one JSON object.'),
        power_parameters_skip_check: optional(Type.Boolean(), 'Store power settings of a kind that the driver does not know.'),
        pool: optional(Type.String(), 'The name of its new resource pool.'),
        zone: optional(Type.String(), 'The name of its new zone.'),
        disable_ipv4: optional(Type.Boolean(), 'Accepted for clients that send it, and without effect, as in MAAS since 2.0.'),
        swap_size: optional(Type.Integer({ minimum: 0 }), 'The size of its swap file in bytes.'),
        cpu_count: optional(Type.Integer({ minimum: 0 }), 'How many CPU threads it has.'),
        memory: optional(Type.Integer({ minimum: 0 }), 'How much memory it has, in MiB.'),
      },
      reply: Machine,
      errors: ['not_found', 'power_refused', 'conflict'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Forget a machine.\n\nIts disks and its power are not touched. Refused while it is locked or an operation works on it.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'wrong_state', 'machine_busy'],
      policy: 'admin',
      reach: 'id',
    }),
    commission: post({
      op: 'commission',
      doc: 'Find out what a machine is made of.\n\nIt is booted into the ephemeral environment, its hardware is written down and its tests are run; nothing on its disks is changed.',
      params: {
        ...commissionOptions,
        parameters: scriptParameters,
      },
      reply: Machine,
      errors: stateErrors,
      policy: 'admin',
      reach: 'id',
    }),
    deploy: post({
      op: 'deploy',
      doc: 'Install a system on a machine.\n\nA Ready machine is allocated to the caller first. The disk is written only if this cell accounts for what is on it, or overwrite says that it may be lost.',
      params: {
        distro_series: optional(
          Type.String({ maxLength: 255 }),
          'What to install, such as debian/12 or 12; left out, the setting default_distro_series.',
        ),
        osystem: optional(Type.String({ maxLength: 255 }), 'The system that distro_series is a release of, when that does not say so.'),
        user_data: optional(Type.String({ maxLength: 1_400_000 }), 'What cloud-init of the installed system shall do, in base64.'),
        hwe_kernel: optional(Type.String({ maxLength: 255 }), 'The kernel to boot, when the image has several.'),
        agent_name: optional(Type.String({ maxLength: 255 }), 'A name to find the machine by later.'),
        bridge_all: optional(Type.Boolean(), 'Put a bridge over every interface that has a link, until the machine is released.'),
        bridge_type: optional(
          oneOf('standard', 'ovs'),
          "Linux's own bridge, or Open vSwitch, which the image must bring; left out, standard.",
        ),
        bridge_stp: optional(Type.Boolean(), 'Whether these bridges speak the spanning tree protocol; left out, not.'),
        bridge_fd: optional(Type.Integer({ minimum: 0, maximum: 255 }), 'Their forward delay in seconds; left out, 15.'),
        overwrite: optional(Type.Boolean(), 'Write to the disk even if something is on it that this cell does not account for.'),
        ephemeral_deploy: notDone,
        enable_hw_sync: notDone,
        enable_kernel_crash_dump: notDone,
        vcenter_registration: notDone,
        install_rackd: optional(Type.Boolean(), 'Not part of Muster: true is refused. A cell is given more processes by its operator.'),
        install_kvm: optional(Type.Boolean(), 'Not part of Muster: true is refused.'),
        register_vmhost: optional(Type.Boolean(), 'Not part of Muster: true is refused.'),
        comment,
      },
      reply: Machine,
      errors: [...stateErrors, 'bad_request', 'in_use', 'idempotency_mismatch'],
      policy: 'user',
      reach: 'id',
    }),
    release: post({
      op: 'release',
      doc: 'Give a machine back.\n\nIt is switched off, its disks are erased if asked for, and it is Ready again. Releasing a Ready machine changes nothing.',
      params: {
        erase: optional(Type.Boolean(), 'Erase the disks; left out, the setting enable_disk_erasing_on_release.'),
        quick_erase: optional(Type.Boolean(), 'Erase only the beginning, the end and all signatures of each disk.'),
        secure_erase: notDone,
        force: optional(Type.Boolean(), 'Accepted for clients that send it: nothing here hosts other machines.'),
        comment,
      },
      reply: Machine,
      errors: [...stateErrors, 'bad_request'],
      policy: 'user',
      reach: 'id',
    }),
    abort: post({
      op: 'abort',
      doc: 'Stop what is being done to a machine.\n\nFor commissioning, testing, deploying and erasing. Its ticket is void from then on and its power is switched off.',
      params: { comment },
      reply: Machine,
      errors: stateErrors,
      policy: 'user',
      reach: 'id',
    }),
    power_on: post({
      op: 'power_on',
      doc: 'Switch a machine on.\n\nThe reply comes when this is decided; the power state follows when it was seen.',
      params: {
        user_data: optional(
          Type.String({ maxLength: 1_400_000 }),
          'What cloud-init finds from now on, in base64; of a machine that somebody has.',
        ),
        comment,
      },
      reply: Machine,
      errors: [...stateErrors, 'power_failed'],
      policy: 'user',
      reach: 'id',
    }),
    power_off: post({
      op: 'power_off',
      doc: 'Switch a machine off.\n\nThe reply comes when this is decided; the power state follows when it was seen.',
      params: {
        stop_mode: optional(oneOf('hard', 'soft'), 'hard cuts the power, which is the default; soft asks the system to shut down.'),
        comment,
      },
      reply: Machine,
      errors: [...stateErrors, 'power_failed'],
      policy: 'user',
      reach: 'id',
    }),
    query_power_state: get({
      op: 'query_power_state',
      doc: 'Ask the BMC whether a machine is on.',
      reply: Type.Object({ state: PowerState }),
      errors: ['not_found', 'power_failed'],
      policy: 'user',
      reach: 'id',
    }),
    power_parameters: get({
      op: 'power_parameters',
      doc: 'Show the power settings of a machine, secrets in clear.\n\nEvery call is written to the audit events.',
      reply: Type.Record(Type.String(), Type.Unknown()),
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
    lock: post({
      op: 'lock',
      doc: 'Lock a deployed machine.\n\nUntil it is unlocked nobody can release, change or delete it, and it boots only its own disk.',
      params: { comment },
      reply: Machine,
      errors: stateErrors,
      policy: 'user',
      reach: 'id',
    }),
    unlock: post({
      op: 'unlock',
      doc: 'Unlock a machine.',
      params: { comment },
      reply: Machine,
      errors: stateErrors,
      policy: 'user',
      reach: 'id',
    }),
    mark_broken: post({
      op: 'mark_broken',
      doc: 'Say that a machine is broken.\n\nWhat is being done to it is stopped, and it is not given out until somebody says that it is fixed.',
      params: { comment },
      reply: Machine,
      errors: stateErrors,
      policy: 'user',
      reach: 'id',
    }),
    mark_fixed: post({
      op: 'mark_fixed',
      doc: 'Say that a broken machine is fixed.\n\nA machine that somebody has goes back to what it was; any other is Ready again, or New if it was never commissioned.',
      params: { comment },
      reply: Machine,
      errors: stateErrors,
      policy: 'admin',
      reach: 'id',
    }),
    override_failed_testing: post({
      op: 'override_failed_testing',
      doc: 'Use a machine although a test of it failed.',
      params: { comment },
      reply: Machine,
      errors: stateErrors,
      policy: 'admin',
      reach: 'id',
    }),
    set_owner_data: post({
      op: 'set_owner_data',
      doc: 'Write down keys and values with a machine that the caller owns.\n\nEvery parameter is one key; an empty value removes it.',
      free: true,
      reply: Machine,
      errors: ['not_found', 'not_owner', 'wrong_state'],
      policy: 'user',
      reach: 'id',
    }),
    set_workload_annotations: post({
      op: 'set_workload_annotations',
      doc: 'Write down what runs on a machine that the caller owns.\n\nEvery parameter is one key; an empty value removes it.',
      free: true,
      reply: Machine,
      errors: ['not_found', 'not_owner', 'wrong_state'],
      policy: 'user',
      reach: 'id',
    }),
    rescue_mode: post({
      op: 'rescue_mode',
      doc: 'Boot a machine into the ephemeral environment and stay there.\n\nThe SSH keys of the caller open it. Nothing is written to its disks.',
      reply: Machine,
      errors: stateErrors,
      policy: 'admin',
      reach: 'id',
    }),
    exit_rescue_mode: post({
      op: 'exit_rescue_mode',
      doc: 'Leave rescue mode: go back to what the machine was before.',
      reply: Machine,
      errors: stateErrors,
      policy: 'admin',
      reach: 'id',
    }),
    test: post({
      op: 'test',
      doc: 'Run tests on a machine.',
      params: { testing_scripts: testingScripts, parameters: scriptParameters, enable_ssh: enableSsh },
      reply: Machine,
      errors: stateErrors,
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
