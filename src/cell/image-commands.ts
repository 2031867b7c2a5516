/** `muster image …`: build the ephemeral environment and Debian, and list what was built. */
import { Command, Option } from 'commander';
import { buildAgent, type BuildOptions } from './images/build-agent.ts';
import { buildDebian12 } from './images/build-debian.ts';
import { listBuiltImages, type BuiltImage } from './images/built-image.ts';

/** @param folder the default image folder: kept across runs, content-addressed */
export function imageCommands(folder: string): Command {
  const command = new Command('image').description(
    'Build and list images. They go into the catalogue of every hub or standalone cell that looks into the folder.',
  );
  const build = command.command('build').description('Build an image from Debian packages.');
  const builder = (name: string, description: string, run: (options: BuildOptions) => Promise<BuiltImage>) =>
    build
      .command(name)
      .description(description)
      .option('--images <folder>', 'where images are kept', folder)
      .addOption(
        new Option('--kernel <kind>', 'cloud: small, for virtual machines; generic: for hardware')
          .choices(['cloud', 'generic'])
          .default('cloud'),
      )
      .option('--refresh', 'ask Debian for newer packages first')
      .action(async (options: { images: string; kernel: 'cloud' | 'generic'; refresh?: boolean }) => {
        const started = Date.now();
        let last = '';
        const image = await run({
          folder: options.images,
          kernel: options.kernel,
          refresh: options.refresh ?? false,
          progress: ({ step, done }) => {
            const line = `${name}: ${step} (${Math.round(done * 100)} %)`;
            if (line !== last) process.stdout.write(`${line}\n`);
            last = line;
          },
        });
        process.stdout.write(`${name} is built (${((Date.now() - started) / 1000).toFixed(1)} s):\n${show(image)}`);
      });
  builder('agent', 'The ephemeral environment: kernel and an initramfs with the agent.', buildAgent);
  builder('debian-12', 'Debian 12 as a tree with cloud-init, for deploying.', buildDebian12);
  command
    .command('list')
    .description('List what was built.')
    .option('--images <folder>', 'where images are kept', folder)
    .action(async (options: { images: string }) => {
      const images = await listBuiltImages(options.images);
      process.stdout.write(
        images.length === 0 ? `Nothing was built in ${options.images} yet: muster image build agent\n` : images.map(show).join(''),
      );
    });
  return command;
}

function show(image: BuiltImage): string {
  const files = image.files.map(
    (file) => `  ${file.ftype.padEnd(14)} ${(file.size / 2 ** 20).toFixed(1).padStart(7)} MiB  sha256:${file.sha256.slice(0, 16)}\n`,
  );
  return `${image.name} ${image.architecture}, built ${image.builtAt}\n${files.join('')}`;
}
