/** What is around every page: who is signed in, where one can go, whether the page is live, and the keys that work everywhere. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { SignInPage } from './pages/sign-in-page.tsx';
import { Framed } from './parts/dialog.tsx';
import { Failed, Waiting } from './parts/notice.tsx';
import { shortcutHelp, useShortcuts } from './parts/shortcuts.ts';
import { ToastRegion } from './parts/toast.tsx';
import { path } from './path.ts';
import { PersonMenu, useTheme } from './person-menu.tsx';
import type { LiveState } from './event-source.ts';
import { keepLive } from './live.ts';
import { keepSession, personQuery, programName, programQuery, type Person } from './session.ts';

const liveWords: Readonly<Record<LiveState, string>> = { connecting: 'connecting', live: 'live', broken: 'reconnecting' };

export function Frame() {
  const person = useQuery(personQuery);
  const queries = useQueryClient();
  if (person.isPending) return <Waiting what="who you are" />;
  if (person.data === undefined)
    return <Failed error={person.error} what="who you are" again={() => void queries.invalidateQueries({ queryKey: ['person'] })} />;
  if (person.data === null) return <SignInPage />;
  return (
    <ToastRegion>
      <SignedIn person={person.data} />
    </ToastRegion>
  );
}

function useLive(isHub: boolean | undefined): LiveState | undefined {
  const queries = useQueryClient();
  const [live, setLive] = useState<LiveState>('connecting');
  useEffect(() => (isHub === false ? keepLive(queries, setLive) : undefined), [queries, isHub]);
  return isHub === false ? live : undefined;
}

function SignedIn({ person }: { readonly person: Person }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const program = useQuery(programQuery).data;
  const live = useLive(program && program.program === 'hub');
  const [helps, setHelps] = useState(false);
  const theme = useTheme();
  useEffect(() => keepSession(queries), [queries]);
  useShortcuts({
    '?': () => setHelps(true),
    t: theme.next,
    'g c': () => void navigate(path.cells()),
    'g m': () => void navigate(path.machines()),
    'g f': () => void navigate(path.findings()),
  });
  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <Link {...path.cells()} className="mark" aria-label="Muster, to the cells">
          <img src="/icon.svg" alt="" width="24" height="24" />
          <span>Muster</span>
          {program && <small>{programName(program)}</small>}
        </Link>
        <nav aria-label="Pages">
          <Link {...path.cells()} activeOptions={{ exact: true }}>
            Cells
          </Link>
          <Link {...path.machines()} activeOptions={{ includeSearch: false }}>
            Machines
          </Link>
          <Link {...path.findings()}>Findings</Link>
        </nav>
        {live && (
          <span className={`live live-${live}`} role="status" title="Events as they happen">
            <span className="dot" aria-hidden="true" />
            <span>{liveWords[live]}</span>
          </span>
        )}
        <PersonMenu person={person} theme={theme} onHelp={() => setHelps(true)} />
      </header>
      <main id="main">
        <Outlet />
      </main>
      {helps && (
        <Framed title="Keys" onClose={() => setHelps(false)}>
          <dl className="keys">
            {shortcutHelp.map(([key, what]) => (
              <div key={key}>
                <dt>
                  {key.split(/\s+/).map((one) => (
                    <kbd key={one}>{one}</kbd>
                  ))}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </Framed>
      )}
    </div>
  );
}
