/** Writing scripts: creating, changing, going back, retiring. Reading them is in scripts.ts. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Nothing, oneOf } from './field.ts';
import { Script } from './scripts.ts';

/** Most characters of a script. Every cell and front holds every script in memory. */
export const longestScript = 262_144;

/** Words or numbers, as MAAS takes them. */
const type = oneOf('commissioning', 'testing', 'release', 'deployment', '0', '2', '3', '4');
const hardwareType = oneOf('node', 'cpu', 'memory', 'storage', 'network', 'gpu', '0', '1', '2', '3', '4', '5');
const parallel = oneOf('disabled', 'instance', 'any', '0', '1', '2');

const scriptTag = Type.String({ minLength: 1, maxLength: 256, pattern: '^[a-zA-Z0-9_.-]+$' });
const comment = optional(Type.String({ maxLength: 255 }), 'What this version of the script is about; shown in its history.');
const text = Type.String({ minLength: 1, maxLength: longestScript });

const properties = {
  title: optional(Type.String({ maxLength: 255 }), 'What people call it.'),
  description: optional(Type.String({ maxLength: 4096 }), 'What it does.'),
  tags: optional(Type.String({ maxLength: 4096 }), 'Tags to choose scripts by, separated by commas.'),
  type: optional(type, 'What it is for: commissioning, testing (when left out), release or deployment.'),
  hardware_type: optional(hardwareType, 'What it looks at: node (when left out), cpu, memory, storage, network or gpu.'),
  parallel: optional(parallel, 'What may run beside it: disabled (when left out), instance or any.'),
  timeout: optional(
    Type.String({ maxLength: 20, pattern: '^(\\d{1,7}|(\\d{1,3} )?\\d{1,3}:\\d{2}:\\d{2})$' }),
    'How long it may run: seconds, or H:MM:SS, with days before it where needed; 0 for the default.',
  ),
  destructive: optional(Type.Boolean(), 'Whether it writes to disks: such a script is only for testing.'),
  for_hardware: optional(
    Type.String({ maxLength: 4096 }),
    'Only for such hardware: pci:, usb:, system_vendor:, system_product:, … separated by commas.',
  ),
  may_reboot: optional(Type.Boolean(), 'Whether it may reboot the machine.'),
  recommission: optional(Type.Boolean(), 'Whether the built-in commissioning scripts should run again behind it.'),
  comment,
};

export const scriptWrites = {
  ...resource('NodeScripts', 'scripts/', 'Scripts that run on machines when they are commissioned, tested or released.', {
    create: post({
      doc: 'Create a script.\n\nNothing is read out of comments in it: what it is for is said by parameters.',
      params: {
        name: required(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9_.-]+$' }), 'The name; it cannot be changed.'),
        script: required(text, 'The script itself: text that begins with #!, sent as a value or as a file.'),
        ...properties,
      },
      reply: Script,
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('NodeScript', 'scripts/{name}', 'One script.', {
    update: put({
      doc: 'Change a script.\n\nAnother text becomes the newest of its history. Built-in scripts cannot be changed.',
      params: {
        script: optional(text, 'The new text.'),
        ...properties,
        apply_configured_networking: optional(Type.Boolean(), 'Whether it needs the network that the machine is configured with.'),
      },
      reply: Script,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a script.\n\nWhat it has found out stays; where it was still to run it is skipped.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
    add_tag: post({
      op: 'add_tag',
      doc: 'Put a tag on a script.',
      params: { tag: required(scriptTag, 'The tag.') },
      reply: Script,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    remove_tag: post({
      op: 'remove_tag',
      doc: 'Take a tag off a script.',
      params: { tag: required(scriptTag, 'The tag.') },
      reply: Script,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    revert: post({
      op: 'revert',
      doc: 'Go back to an earlier text of a script.\n\nNewer ones leave the history.',
      params: {
        to: required(Type.Integer(), 'The id of a text in the history, or how many steps to go back as a negative number.'),
      },
      reply: Script,
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
    download: get({
      op: 'download',
      doc: 'Fetch the text of a script, as it is.',
      params: { revision: optional(Type.Integer({ minimum: 0 }), 'The id of a text in the history; left out, the one in force.') },
      reply: Type.Unknown(),
      type: 'binary',
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
};
