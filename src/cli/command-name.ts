/** How routes are called on the command line: as the maas CLI calls them, so that what people know by heart works. */

/** `BootResources` → `boot-resources`, `SSHKeys` → `sshkeys`, `set_owner_data` → `set-owner-data`. */
export function commandName(name: string): string {
  const words = name.split('_').flatMap((part) => part.match(/[A-Z]*[a-z0-9]+|[A-Z]+/g) ?? []);
  return words.join('-').toLowerCase();
}
