/** `muster cell join` and `muster front join`: a program's data folder joins a hub; a cell that stood alone hands over what it has. */
import { Command } from 'commander';
import { confirm } from './confirm.ts';
import { handOverText, type ShownPlan } from './hand-over-text.ts';
import { chooseProfile, readProfiles } from './profile-file.ts';
import { SettingsError } from './settings.ts';

export interface JoinCall {
  readonly url: string;
  readonly token: string;
  readonly fingerprint: string;
  readonly ownUrl?: string;
  readonly adopt?: { readonly key: string; confirm(plan: ShownPlan): Promise<boolean> };
  /** The flags, for the settings of the program. */
  readonly flags: Readonly<Record<string, unknown>>;
}

export interface Joined {
  readonly folder: string;
  readonly name: string;
  readonly number: number;
  readonly hub: string;
  /** What its rows named and nobody has any more → how many of them. */
  readonly letGo: Readonly<Record<string, number>>;
}

export interface JoinCommandOptions {
  readonly profileFile: string;
  readonly write: (text: string) => void;
  /** undefined: the plan was not agreed to. */
  readonly join: (call: JoinCall) => Promise<Joined | undefined>;
}

interface Flags extends Record<string, unknown> {
  readonly ownUrl?: string;
  readonly adopt?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly profile?: string;
}

export function joinCommand(role: 'cell' | 'front', options: JoinCommandOptions): Command {
  const command = new Command('join')
    .description(`Let the ${role} of a data folder join a hub. The token is good once, and the same command may be repeated.`)
    .argument('<url>', 'the hub, https://HOST:5242')
    .argument('<token>')
    .argument('<fingerprint>', "SHA-256 of the hub's key, 64 hexadecimal digits")
    .option('--own-url <url>', 'where fronts and people reach it');
  if (role === 'cell')
    command
      .option('--folder <folder>', 'the data folder of the cell; or MUSTER_FOLDER')
      .option('--config <file>', "the cell's own file of settings: its folder, name and database")
      .option('--database-url <url>', 'its PostgreSQL, where it has no embedded one; or MUSTER_DATABASE_URL')
      .option('--adopt', 'a cell that stood alone hands its users, keys, names and settings over to the hub')
      .option('--dry-run', 'with --adopt: show what would change, and change nothing')
      .option('--yes', 'with --adopt: do not ask')
      .option('--profile <name>', 'with --adopt: whose API key to use at the hub, an admin: a profile of muster login');
  else command.requiredOption('--folder <folder>', 'the data folder');
  return command.action(async (url: string, token: string, fingerprint: string, flags: Flags) => {
    if ((flags.dryRun ?? flags.yes ?? false) && flags.adopt !== true) throw new SettingsError('--dry-run and --yes belong to --adopt.');
    const adopt = flags.adopt === true ? await adopting(flags, options) : undefined;
    const { ownUrl } = flags;
    const joined = await options.join({
      url,
      token,
      fingerprint,
      flags,
      ...(ownUrl === undefined ? {} : { ownUrl }),
      ...(adopt ? { adopt } : {}),
    });
    options.write(joined ? told(role, joined) : 'Nothing was changed.\n');
  });
}

async function adopting(flags: Flags, { profileFile, write }: JoinCommandOptions): Promise<NonNullable<JoinCall['adopt']>> {
  const { key } = chooseProfile(await readProfiles(profileFile), flags.profile);
  return {
    key,
    confirm: async (plan) => {
      write(`${handOverText(plan)}\n`);
      if (flags.dryRun === true) return false;
      return confirm('Hand this over to the hub? It cannot be taken back.', flags.yes === true);
    },
  };
}

function told(role: 'cell' | 'front', { folder, name, number, hub, letGo }: Joined): string {
  const lines = Object.entries(letGo).flatMap(([kind, count]) =>
    count === 0 ? [] : [`${count} of its rows named a ${kind} that was gone before; they have the default one now, or none.\n`],
  );
  return `${folder} is ${role} ${name} (number ${number}) of the hub at ${hub}\n${lines.join('')}`;
}
