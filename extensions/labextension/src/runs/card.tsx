import React from 'react';

import { useSignal } from '../common/clock';
import { isId } from '../common/ids';
import type { Notebooks } from '../common/notebooks';
import { Unread } from '../common/one';
import { keptText, OutputCard, type IKept } from '../common/output';
import { whenWords } from '../common/words';
import type { RunActions } from './actions';
import { loadCode, loadedWords } from './code';
import { RunDetail } from './detail';
import { CodeRaised, runCodeIn } from './kernel';
import { RUN_TYPE } from './mime';
import type { RunsModel } from './model';
import type { IRow } from './rows';
import { RunWatch } from './watch';
import { kindWords } from './words';

function keptWords(kept: IKept): string {
  const when =
    typeof kept.created === 'number' ? `, submitted ${whenWords(kept.created, Date.now() / 1000)}` : '';
  return `${kindWords(keptText(kept.kind, 'run'))}${when}`;
}

interface ILoadProps {
  row: IRow;
  load: (row: IRow) => Promise<string>;
}

type Told = { readonly text: string; readonly bad: boolean } | null;

/** The button that brings a result into the notebook's kernel, and what came of it. */
function Load(props: ILoadProps): React.ReactElement {
  const [busy, setBusy] = React.useState(false);
  const [told, setTold] = React.useState<Told>(null);
  const press = async () => {
    setBusy(true);
    setTold(null);
    try {
      setTold({ text: await props.load(props.row), bad: false });
    } catch (error) {
      setTold({ text: (error as Error).message, bad: true });
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button
        type="button"
        className="jp-mod-styled jp-mod-accept"
        title={`Runs ${loadCode(props.row)} in this notebook’s kernel`}
        disabled={busy}
        onClick={() => void press()}
      >
        {busy ? 'Loading…' : props.row.kind === 'cell' ? 'Load result here' : 'Show result'}
      </button>
      {told && (
        <div className={told.bad ? 'skiva-Trouble skiva-Told' : 'skiva-Told'} role="status">
          {told.text}
        </div>
      )}
    </>
  );
}

interface ICardProps {
  kept: IKept;
  watch: RunWatch;
  model: RunsModel;
  actions: RunActions;
  load: ((row: IRow) => Promise<string>) | null;
}

function Card(props: ICardProps): React.ReactElement {
  const { kept, watch, model, load } = props;
  useSignal(watch.stateChanged);
  const row = watch.row;
  const name = row?.name ?? keptText(kept.name, watch.id);
  const loads = row?.state === 'completed' && row.kind !== 'notebook' && row.kind !== 'command';
  return (
    <section className="skiva-Card" aria-label={`Run ${name}`}>
      <header className="skiva-CardHeader">
        <strong>{name}</strong>
        <span className="skiva-Quiet">{row ? row.id : `${watch.id} · ${keptWords(kept)}`}</span>
      </header>
      <Unread watch={watch} />
      <RunDetail model={model} watch={watch} actions={props.actions} card={true}>
        {row && loads && load && <Load row={row} load={load} />}
      </RunDetail>
    </section>
  );
}

/** A run in a cell's output: as live as in the panel, after any restart. */
export class RunCard extends OutputCard<RunWatch> {
  constructor(model: RunsModel, actions: RunActions, notebooks: Notebooks) {
    super(RUN_TYPE);
    this._model = model;
    this._actions = actions;
    this._notebooks = notebooks;
  }

  protected watchOne(id: unknown): RunWatch | null {
    return isId(id) ? new RunWatch(id, this._model) : null;
  }

  protected override render(): React.ReactElement {
    if (!this.watch || !this._model.available) {
      const name = keptText(this.kept.name, 'A run');
      const why = this.watch ? 'This server keeps no runs.' : 'This output names no run.';
      return <p className="skiva-Quiet">{`${name} (${keptText(this.kept.id, '?')}): ${why}`}</p>;
    }
    return (
      <Card
        kept={this.kept}
        watch={this.watch}
        model={this._model}
        actions={this._actions}
        load={this._notebooks.around(this.node) ? this._load : null}
      />
    );
  }

  /** Bring the result into the kernel of the notebook around this card. */
  private _load = async (row: IRow): Promise<string> => {
    const kernel = this._notebooks.around(this.node)?.sessionContext.session?.kernel;
    if (!kernel) {
      throw new CodeRaised('No kernel', 'start one, then load the result again.');
    }
    const { text: printed, data } = await runCodeIn(kernel, `import skiva\n${loadCode(row)}`);
    return loadedWords(row, keptText(data['text/plain'], 'None'), printed);
  };

  private _model: RunsModel;
  private _actions: RunActions;
  private _notebooks: Notebooks;
}
