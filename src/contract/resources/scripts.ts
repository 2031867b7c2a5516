/** Scripts that run on machines in the ephemeral environment, and what came of them. */
import { Type } from 'typebox';
import { get, optional, put, remove, resource } from '../route.ts';
import { Id, Nothing, nullable, oneOf } from './field.ts';

/** Numbers and names of what became of a script; MAAS's, and -1 `Unknown` where nothing has run. */
export const scriptStatuses = {
  pending: { number: 0, name: 'Pending' },
  running: { number: 1, name: 'Running' },
  passed: { number: 2, name: 'Passed' },
  failed: { number: 3, name: 'Failed' },
  timed_out: { number: 4, name: 'Timed out' },
  aborted: { number: 5, name: 'Aborted' },
  degraded: { number: 6, name: 'Degraded' },
  installing: { number: 7, name: 'Installing dependencies' },
  failed_installing: { number: 8, name: 'Failed installing dependencies' },
  skipped: { number: 9, name: 'Skipped' },
  applying_netconf: { number: 10, name: 'Applying custom network configuration' },
  failed_applying_netconf: { number: 11, name: 'Failed to apply custom network configuration' },
} as const;

export type ScriptStatus = keyof typeof scriptStatuses;

/** What a script is for. */
export const scriptTypes = {
  commissioning: { number: 0, name: 'Commissioning script' },
  testing: { number: 2, name: 'Testing script' },
  release: { number: 3, name: 'Release script' },
  deployment: { number: 4, name: 'Deployment script' },
} as const;

export type ScriptType = keyof typeof scriptTypes;

/** What a script looks at. */
export const hardwareTypes = {
  node: { number: 0, name: 'Node' },
  cpu: { number: 1, name: 'CPU' },
  memory: { number: 2, name: 'Memory' },
  storage: { number: 3, name: 'Storage' },
  network: { number: 4, name: 'Network' },
  gpu: { number: 5, name: 'GPU' },
} as const;

/** What may run beside a script: nothing, other scripts of its kind, anything. */
export const parallelKinds = {
  disabled: { number: 0, name: 'Disabled' },
  instance: { number: 1, name: 'Run along other instances of this script' },
  any: { number: 2, name: 'Run along any other script' },
} as const;

export const Script = Type.Object({
  id: Id,
  name: Type.String(),
  title: Type.String(),
  description: Type.String(),
  tags: Type.Array(Type.String()),
  type: Type.Integer(),
  type_name: Type.String(),
  hardware_type: Type.Integer(),
  hardware_type_name: Type.String(),
  parallel: Type.Integer(),
  parallel_name: Type.String(),
  results: Type.Record(Type.String(), Type.Unknown()),
  parameters: Type.Record(Type.String(), Type.Unknown()),
  packages: Type.Record(Type.String(), Type.Unknown()),
  /** `H:MM:SS`, `0:00:00` for no limit. */
  timeout: Type.String(),
  destructive: Type.Boolean(),
  for_hardware: Type.Array(Type.String()),
  may_reboot: Type.Boolean(),
  recommission: Type.Boolean(),
  apply_configured_networking: Type.Boolean(),
  default: Type.Boolean(),
  history: Type.Array(
    Type.Object({ id: Id, comment: nullable(Type.String()), created: Type.String(), data: Type.Optional(Type.String()) }),
  ),
  resource_uri: Type.String(),
});

/** One script of a result set. */
export const ScriptResult = Type.Object({
  id: Id,
  name: Type.String(),
  created: Type.String(),
  updated: Type.String(),
  status: Type.Integer(),
  status_name: Type.String(),
  exit_status: nullable(Type.Integer()),
  started: nullable(Type.String()),
  ended: nullable(Type.String()),
  runtime: Type.String(),
  starttime: nullable(Type.Number()),
  endtime: nullable(Type.Number()),
  estimated_runtime: Type.String(),
  parameters: Type.Record(Type.String(), Type.Unknown()),
  script_id: nullable(Id),
  script_revision_id: nullable(Id),
  suppressed: Type.Boolean(),
  // Base64, only with include_output.
  output: Type.Optional(Type.String()),
  stdout: Type.Optional(Type.String()),
  stderr: Type.Optional(Type.String()),
  result: Type.Optional(Type.String()),
});

/** Everything that one commissioning or one test run has run. */
export const ResultSet = Type.Object({
  id: Id,
  system_id: Type.String(),
  /** Number of scriptTypes: what the run was for. */
  type: Type.Integer(),
  type_name: Type.String(),
  last_ping: nullable(Type.String()),
  status: Type.Integer(),
  status_name: Type.String(),
  started: nullable(Type.String()),
  ended: nullable(Type.String()),
  runtime: Type.String(),
  results: Type.Array(ScriptResult),
  resource_uri: Type.String(),
});

/** One output of one script, as the older list shows it. */
export const NodeResult = Type.Object({
  created: Type.String(),
  updated: Type.String(),
  id: Id,
  name: Type.String(),
  node: Type.Object({ system_id: Type.String() }),
  result_type: Type.Integer(),
  script_result: Type.Integer(),
  data: Type.String(),
  resource_uri: Type.String(),
});

const names = optional(Type.String({ maxLength: 4096 }), 'Only these: names or tags, separated by commas.');
const type = optional(Type.String({ maxLength: 64 }), 'Only for commissioning, testing, release or deployment.');
const hardwareType = optional(Type.String({ maxLength: 64 }), 'Only for node, cpu, memory, storage, network or gpu.');
const includeOutput = optional(Type.Boolean(), 'Put what the scripts wrote into the reply, in base64.');

const nodeResults = {
  read: get({
    doc: 'List what scripts wrote, one item for each output.',
    params: {
      system_id: optional(Type.Array(Type.String()), 'Only of this machine; may be repeated.'),
      name: optional(Type.Array(Type.String()), 'Only of the script of this name; may be repeated.'),
      result_type: optional(Type.Integer({ minimum: 0, maximum: 4 }), 'Only of this kind: 0 commissioning, 1 installation, 2 testing.'),
    },
    reply: Type.Array(NodeResult),
    policy: 'user',
    reach: 'gather',
    partial: true,
    names: ['system_id'],
  }),
};

export const scripts = {
  ...resource('NodeScripts', 'scripts/', 'Scripts that run on machines when they are commissioned, tested or released.', {
    read: get({
      doc: 'List all scripts.',
      params: {
        type,
        hardware_type: hardwareType,
        filters: names,
        include_script: optional(Type.Boolean(), 'Put the scripts themselves into the reply, in base64.'),
      },
      reply: Type.Array(Script),
      errors: ['bad_request'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
  ...resource('NodeScript', 'scripts/{name}', 'One script.', {
    read: get({
      doc: 'Read a script.',
      params: { include_script: optional(Type.Boolean(), 'Put the script itself into the reply, in base64.') },
      reply: Script,
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
  ...resource('NodeScriptResults', 'nodes/{system_id}/results/', 'What scripts found out about one machine.', {
    read: get({
      doc: 'List the result sets of a machine, newest first.',
      params: { type, hardware_type: hardwareType, filters: names, include_output: includeOutput },
      reply: Type.Array(ResultSet),
      errors: ['not_found', 'bad_request'],
      policy: 'user',
      reach: 'id',
    }),
  }),
  ...resource('NodeScriptResult', 'nodes/{system_id}/results/{id}/', 'One result set of a machine.', {
    read: get({
      doc: 'Read a result set.\n\nInstead of an id, current-commissioning, current-testing or current-installation name the newest.',
      params: { hardware_type: hardwareType, filters: names, include_output: includeOutput },
      reply: ResultSet,
      errors: ['not_found', 'bad_request'],
      policy: 'user',
      reach: 'id',
    }),
    update: put({
      doc: 'Say of results that they do not count.\n\nA suppressed result is left out when the state of the tests is summed up.',
      params: {
        hardware_type: hardwareType,
        filters: names,
        include_output: includeOutput,
        suppressed: optional(Type.Boolean(), 'Whether the chosen results do not count; left out, nothing changes.'),
      },
      reply: ResultSet,
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a result set.\n\nNot while the operation that it belongs to is going on.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'wrong_state'],
      policy: 'admin',
      reach: 'id',
    }),
    download: get({
      op: 'download',
      doc: 'Fetch what scripts wrote.\n\nOne output alone comes as it is; several follow each other, each under a line with its name.',
      params: {
        hardware_type: hardwareType,
        filters: names,
        output: optional(oneOf('combined', 'stdout', 'stderr', 'result', 'all'), 'Which output; left out, combined.'),
        filetype: optional(oneOf('txt', 'tgz'), 'txt (when left out) for one text, tgz for a compressed tar with a file for each.'),
      },
      reply: Type.Unknown(),
      type: 'binary',
      errors: ['not_found', 'bad_request'],
      policy: 'user',
      reach: 'id',
    }),
  }),
  ...resource('NodeResults', 'commissioning-results/', 'What scripts wrote, over all machines.', nodeResults),
  ...resource(
    'InstallationResults',
    'installation-results/',
    'What scripts wrote, over all machines: the same list under its older name.',
    nodeResults,
  ),
};
