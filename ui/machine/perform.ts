/** Carries out an action that was decided on: one call of the contract each. */
import type { Action } from '../../src/contract/lifecycle.ts';
import { client } from '../api.ts';

/** What the dialogs ask for. */
export interface ActionChoices {
  readonly image?: string;
  readonly overwrite?: boolean;
  readonly userData?: string;
  readonly erase?: 'keep' | 'quick' | 'full';
  readonly comment?: string;
}

/** Text as base64 of its UTF-8, as the API takes user data. */
export function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}

/** What `erase` means to the API. */
export const erasures = {
  keep: { erase: false },
  quick: { erase: true, quick_erase: true },
  full: { erase: true, quick_erase: false },
} as const;

/** @throws ApiError with the cell's own words. */
export async function perform(action: Action, systemId: string, choices: ActionChoices): Promise<void> {
  const machine = { system_id: systemId };
  const comment = choices.comment === undefined || choices.comment === '' ? {} : { comment: choices.comment };
  // A key that is pressed twice, or a reply that is lost, must not ask for two.
  const once = { idempotencyKey: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
  switch (action) {
    case 'allocate':
      await client.call('Machines.allocate', {}, { system_id: [systemId], ...comment }, once);
      return;
    case 'deploy':
      await client.call(
        'Machine.deploy',
        machine,
        {
          ...(choices.image === undefined ? {} : { distro_series: choices.image }),
          ...(choices.overwrite === true ? { overwrite: true } : {}),
          ...(choices.userData === undefined || choices.userData === '' ? {} : { user_data: base64(choices.userData) }),
          ...comment,
        },
        once,
      );
      return;
    case 'release':
      await client.call('Machine.release', machine, { ...(choices.erase === undefined ? {} : erasures[choices.erase]), ...comment });
      return;
    case 'commission':
    case 'test':
    case 'rescue_mode':
    case 'exit_rescue_mode':
    case 'delete':
      await client.call(`Machine.${action}`, machine, {});
      return;
    default:
      await client.call(`Machine.${action}`, machine, comment);
  }
}
