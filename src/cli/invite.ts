/** `muster hub cell add NAME` and `muster hub front add NAME`: a number, and a token that lets one program join, once. */
import { Command } from 'commander';
import { createClient } from '../http/client.ts';
import { chooseProfile, readProfiles } from './profile-file.ts';

export interface InviteOptions {
  readonly profileFile: string;
  readonly write: (text: string) => void;
}

export function inviteCommand(role: 'cell' | 'front', { profileFile, write }: InviteOptions): Command {
  const add = new Command('add')
    .description(`Invite a ${role}: prints the command that it joins with. The token is good for a day, once.`)
    .argument('<name>')
    .option('--replace', `of a ${role} that has joined and whose data folder is lost: it may show another key, and the old one is refused`)
    .option('--profile <name>', 'whom to ask: a profile of muster login')
    .option('--hub-url <url>', 'where the new program will reach the hub; left out, port 5242 of the host of the profile')
    .action(async (name: string, options: { profile?: string; hubUrl?: string; replace?: boolean }) => {
      const { url, key } = chooseProfile(await readProfiles(profileFile), options.profile);
      const client = createClient({ url, key });
      const invitation = await client.call(
        role === 'cell' ? 'Cells.create' : 'Fronts.create',
        {},
        { name, replace: options.replace === true },
      );
      const hub = options.hubUrl ?? `https://${new URL(url).hostname}:5242`;
      write(`${role} ${invitation.name} gets number ${invitation.number}. Until ${invitation.expires}, once:\n`);
      const { token, fingerprint } = invitation;
      write(
        role === 'cell'
          ? `./muster cell join ${hub} ${token} ${fingerprint} --folder FOLDER\n`
          : `./muster front join ${hub} ${token} ${fingerprint} --folder FOLDER\n`,
      );
    });
  return new Command(role).description(`Invite a ${role}.`).addCommand(add);
}
