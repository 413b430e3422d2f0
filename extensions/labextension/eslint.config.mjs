import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default defineConfig(
  { ignores: ['**/lib/', '**/node_modules/', '**/.stryker-tmp/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, hooks.configs.flat.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // A handler such as `() => setOpen(true)` gives nothing back, and nobody asks.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `signal.connect(this._look, this)` is how Lumino binds.
      '@typescript-eslint/unbound-method': 'off'
    }
  },
  { files: ['**/*.mjs'], languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  { files: ['**/hub_config/**/*.js'], languageOptions: { globals: globals.browser } }
);
