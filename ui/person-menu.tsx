/** The menu of the person who is signed in: theme, help, sign out. */
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Menu, MenuItem, MenuSection, MenuTrigger } from 'react-aria-components/Menu';
import { Header } from 'react-aria-components/Header';
import { Popover } from 'react-aria-components/Popover';
import { Separator } from 'react-aria-components/Separator';
import { signOut, type Person } from './session.ts';
import { applyTheme, readTheme, themes, type Theme } from './theme.ts';

export interface ThemeChoice {
  readonly theme: Theme;
  readonly choose: (theme: Theme) => void;
  readonly next: () => void;
}

export function useTheme(): ThemeChoice {
  const [theme, setTheme] = useState(readTheme);
  const choose = useCallback((chosen: Theme) => {
    applyTheme(chosen);
    setTheme(chosen);
  }, []);
  return useMemo(
    () => ({ theme, choose, next: () => choose(themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'auto') }),
    [theme, choose],
  );
}

const themeNames: Readonly<Record<Theme, string>> = { auto: 'As the system', light: 'Light', dark: 'Dark' };

interface PersonMenuProps {
  readonly person: Person;
  readonly theme: ThemeChoice;
  readonly onHelp: () => void;
}

export function PersonMenu({ person, theme, onHelp }: PersonMenuProps) {
  const queries = useQueryClient();
  return (
    <MenuTrigger>
      <Button className="quiet person" aria-label={`${person.username}: theme, help, sign out`}>
        <span className="initial" aria-hidden="true">
          {person.username.slice(0, 1).toUpperCase()}
        </span>
        <span className="name">{person.username}</span>
      </Button>
      <Popover placement="bottom end" className="popover">
        <Menu className="menu">
          <MenuSection
            selectionMode="single"
            disallowEmptySelection
            selectedKeys={[theme.theme]}
            onSelectionChange={(keys) => {
              const chosen = themes.find((each) => keys !== 'all' && keys.has(each));
              if (chosen) theme.choose(chosen);
            }}
          >
            <Header>Theme</Header>
            {themes.map((each) => (
              <MenuItem key={each} id={each}>
                {themeNames[each]}
              </MenuItem>
            ))}
          </MenuSection>
          <Separator />
          <MenuItem id="help" onAction={onHelp}>
            Keys <kbd>?</kbd>
          </MenuItem>
          <MenuItem id="out" onAction={() => void signOut(queries)}>
            Sign out
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
