import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expandIpxe, IpxeError, runIpxe, type IpxeLoader } from './ipxe-script.ts';

/** A loader over a few texts, which notes what was asked of it. */
function loader(files: Readonly<Record<string, string>>, more: Partial<IpxeLoader> = {}) {
  const log: string[] = [];
  const has = (path: string) => Object.hasOwn(files, path);
  const made: IpxeLoader = {
    settings: new Map([
      ['platform', 'pcbios'],
      ['netX/mac', '52:54:00:00:00:01'],
      ['serial', 'A B'],
    ]),
    fetchText: async (path) => (log.push(`text ${path}`), has(path) ? files[path] : undefined),
    fetchFile: async (path) => (log.push(`file ${path}`), has(path)),
    diskBoots: () => true,
    sleep: async (seconds) => void log.push(`sleep ${seconds}`),
    echo: (text) => void log.push(`echo ${text}`),
    ...more,
  };
  return { loader: made, log };
}
const script = (...lines: string[]) => `#!ipxe\n${lines.join('\n')}\n`;

describe('commands', () => {
  test('a kernel with its initrd and line', async () => {
    const { loader: on } = loader({ '/i': '', '/k': '' });
    expect(
      await runIpxe(
        script(
          'imgfree',
          'initrd --name initrd.img /i || goto again',
          'kernel --name vmlinuz /k a=b c || goto again',
          'boot || goto again',
          ':again',
        ),
        on,
      ),
    ).toEqual({
      end: 'kernel',
      kernel: '/k',
      initrd: '/i',
      line: 'a=b c',
    });
  });

  test('start script: asks twelve times, then the disk', async () => {
    const { loader: on, log } = loader({});
    const start = script(
      'isset ${tries} || set tries:int32 0',
      ':ask',
      'inc tries',
      'chain --autofree --replace /s?try=${tries} ||',
      'iseq ${tries} 12 && goto local ||',
      'sleep 5',
      'goto ask',
      ':local',
      'sanboot --no-describe --drive 0x80 || exit',
      'exit',
    );
    expect(await runIpxe(start, on)).toEqual({ end: 'disk' });
    expect(log.filter((line) => line.startsWith('text'))).toHaveLength(12);
    expect(log.filter((line) => line === 'sleep 5')).toHaveLength(11);
    expect(log).toContain('text /s?try=12');
  });

  test('a path is of the server that its script came from, and a script from another server brings its own', async () => {
    const { loader: on, log } = loader({
      'http://b/s': script('initrd --name i /i || goto again', 'kernel --name k /k || kernel --name k http://a/k', 'boot', ':again'),
      'http://b/i': '',
      'http://a/k': '',
    });
    const end = await runIpxe(script('chain --replace /s || chain --replace http://b/s ||', 'exit 9'), on, 'http://a');
    expect(log).toEqual(['text http://a/s', 'text http://b/s', 'file http://b/i', 'file http://b/k', 'file http://a/k']);
    expect(end).toMatchObject({ end: 'kernel', kernel: 'http://a/k', initrd: 'http://b/i' });
  });

  test('settings outlive a script that replaces another', async () => {
    const { loader: on, log } = loader({ '/next': script('echo ${tries} ${netX/mac:hexhyp} ${serial:uristring}', 'exit 3') });
    expect(await runIpxe(script('set tries 4', 'chain --replace /next ||', 'exit 9'), on)).toEqual({ end: 'exit', code: 3 });
    expect(log).toContain('echo 4 52-54-00-00-00-01 A%20B');
  });

  test('a disk that does not boot gives way', async () => {
    const { loader: on } = loader({ '/boot/loader/local.efi': 'x' }, { diskBoots: () => false });
    expect(await runIpxe(script('sanboot --no-describe --drive 0x80 || exit 7'), on)).toEqual({ end: 'exit', code: 7 });
    expect(await runIpxe(script('chain --autofree /boot/loader/local.efi || exit 5'), on)).toEqual({ end: 'exit', code: 1 });
  });

  test('power off by a loader that is there', async () => {
    const off = script('chain --autofree /boot/loader/off.lkrn || goto again', ':again', 'exit 2');
    expect(await runIpxe(off, loader({ '/boot/loader/off.lkrn': 'x' }).loader)).toEqual({ end: 'off' });
    expect(await runIpxe(off, loader({}).loader)).toEqual({ end: 'exit', code: 2 });
  });

  test.each([
    ['shell', /"shell" is not known/],
    ['chain http://elsewhere/', /only chained with --replace/],
    ['goto nowhere', /no label/],
    ['sanboot --filename x', /--filename is not known/],
    ['echo ${x:md5}', /no format/],
  ])('%s is an error', async (line, problem) => {
    await expect(runIpxe(script(line), loader({}).loader)).rejects.toThrow(problem);
  });

  test('a loop without a pause ends', async () => {
    await expect(runIpxe(script(':a', 'goto a'), loader({}).loader)).rejects.toThrow(/more than/);
  });
});

test('a failure that nothing catches ends the script', async () => {
  expect(await runIpxe(script('iseq a b', 'exit 5'), loader({}).loader)).toEqual({ end: 'exit', code: 1 });
});

test('unset settings are empty', () => {
  expect(expandIpxe('a${x}b${y:hexhyp}', new Map([['y', '1:2']]))).toBe('ab1-2');
});

test('any text boots something or is an IpxeError', async () => {
  const words = fc.constantFrom(
    'chain',
    'exit',
    'goto',
    'boot',
    'kernel',
    'sanboot',
    '||',
    '&&',
    ':a',
    'a',
    '--replace',
    '${tries}',
    'set',
    'inc',
    'iseq',
    'isset',
    '',
    '\n',
    '#',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.array(words, { maxLength: 30 }).map((list) => list.join(' ')),
      ),
      async (text) => {
        try {
          expect(await runIpxe(`#!ipxe\n${text}`, loader({}).loader)).toHaveProperty('end');
        } catch (error) {
          expect(error).toBeInstanceOf(IpxeError);
        }
      },
    ),
  );
});
