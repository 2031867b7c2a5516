/** `muster hub rotate-key`: a new key for a hub that runs. */
import { Command } from 'commander';
import { createClient } from '../http/client.ts';
import { chooseProfile, readProfiles } from './profile-file.ts';

export interface RotateKeyOptions {
  readonly profileFile: string;
  readonly write: (text: string) => void;
}

export function rotateKeyCommand({ profileFile, write }: RotateKeyOptions): Command {
  return new Command('rotate-key')
    .description('Give the hub, which runs, a new key. Cells and fronts follow by themselves, also those that are away now.')
    .option('--profile <name>', 'whom to ask: a profile of muster login')
    .action(async (options: { profile?: string }) => {
      const { url, key } = chooseProfile(await readProfiles(profileFile), options.profile);
      const { fingerprint } = await createClient({ url, key }).call('HubKey.rotate', {}, {});
      write(`fingerprint  ${fingerprint}\nInvitations that were not used yet name the old one: make them again.\n`);
    });
}
