import React from 'react';

import { ProgressBar } from '../common/bar';
import { Buttons } from '../common/buttons';
import { useNow, useSignal } from '../common/clock';
import { Facts } from '../common/facts';
import { Log } from '../common/log';
import { ToneIcon } from '../common/tone';
import type { RunActions } from './actions';
import { runCode } from './code';
import type { RunsModel } from './model';
import { isLive, shareOf, tone, type IRow } from './rows';
import { Tasks } from './tasks';
import type { RunWatch } from './watch';
import { expectedWords, facts, progressWords, sentenceWords, stateWords, timesWords } from './words';

interface IDetailProps {
  model: RunsModel;
  watch: RunWatch;
  actions: RunActions;
  /** In a cell's output there is less room and no list beside it. */
  card: boolean;
  /** More buttons. */
  children?: React.ReactNode;
}

function Header(props: { row: IRow; now: number; left: number | null }): React.ReactElement {
  const { row, now, left } = props;
  const far = shareOf(row);
  const said = progressWords(row.progress);
  return (
    <>
      <p className={`skiva-State skiva-mod-${tone(row.state)}`}>
        <ToneIcon tone={tone(row.state)} />
        <span>
          <strong>{stateWords(row.state)}</strong>
          {sentenceWords(row) && <span> – {sentenceWords(row)}</span>}
          {expectedWords(row, now) && <span> {expectedWords(row, now)}</span>}
        </span>
      </p>
      {row.action && <p className="skiva-Advice">{row.action}</p>}
      {row.life === 'running' && (
        <div className="skiva-Progress">
          <ProgressBar share={far} label="Progress" />
          {!row.tasks && said && <span>{said}</span>}
          {far !== null && !said.endsWith('%') && (
            <span className="skiva-Number">{Math.floor(far * 100)} %</span>
          )}
        </div>
      )}
      <p className="skiva-Quiet skiva-Times">
        {[row.slice_title || row.slice, row.simulated && 'simulated', timesWords(row, now, left)]
          .filter(Boolean)
          .join(' · ')}
      </p>
    </>
  );
}

function Actions(props: {
  row: IRow;
  actions: RunActions;
  card: boolean;
  children: React.ReactNode;
}): React.ReactElement {
  const { row, actions, card } = props;
  const live = isLive(row);
  const opens = row.result === 'notebook' && row.dir !== null;
  return (
    <Buttons
      buttons={[
        opens && { label: 'Open result', first: true, press: () => actions.openResult(row) },
        live && row.state !== 'ending' && { label: 'Cancel', press: () => actions.cancel(row) },
        !live && { label: 'Run again', press: () => actions.again(row) },
        !live && !card && { label: 'Remove', press: () => actions.remove(row) },
        card && { label: 'Show in Runs', press: () => actions.show(row.id) }
      ]}
    >
      {props.children}
    </Buttons>
  );
}

function Links(props: { row: IRow; task: number | null; actions: RunActions }): React.ReactElement {
  const { row, task, actions } = props;
  const hasLog = row.dir !== null && row.started !== null && (row.tasks === null || task !== null);
  const link = (label: string, press: (row: IRow) => unknown) => (
    <button type="button" className="skiva-Link" onClick={() => void press(row)}>
      {label}
    </button>
  );
  return (
    <div className="skiva-Links">
      {hasLog && link('Open log', one => actions.openLog(one, task))}
      {row.dir !== null && link('Open folder', actions.openFolder)}
      {row.notebook !== null &&
        !row.notebook.startsWith('/') &&
        link(row.cell_id ? 'Go to its cell' : 'Go to its notebook', actions.goToCell)}
      {link(`Copy ${runCode(row.id)}`, actions.copy)}
    </div>
  );
}

/** What went wrong in the code, as Python told it. */
function Traceback(props: { watch: RunWatch }): React.ReactElement | null {
  const error = props.watch.detail?.error;
  const lines = Array.isArray(error?.traceback) ? error.traceback.join('\n') : error?.traceback;
  // What its log shows already is not shown twice.
  if (!error || typeof lines !== 'string' || !lines || props.watch.log.text.includes(error.message)) {
    return null;
  }
  return (
    <details className="skiva-Facts" open>
      <summary>{error.type} in your code</summary>
      <Log
        text={lines}
        before={0}
        size={0}
        lines={40}
        live={false}
        label="Traceback"
        readAll={() => Promise.resolve()}
      />
    </details>
  );
}

/** What it printed; of a map, what the chosen task did. */
function Printed(props: { watch: RunWatch; row: IRow; card: boolean }): React.ReactElement | null {
  const { watch, row, card } = props;
  const { task } = watch;
  if (!watch.detail || row.life === 'waiting' || (row.tasks !== null && task === null)) {
    return null;
  }
  const label = task === null ? 'Log' : `Log of task ${task}`;
  return (
    <>
      {task !== null && <h4>{label}</h4>}
      <Log
        key={task}
        text={watch.log.text}
        before={watch.log.before}
        size={watch.log.size}
        lines={card ? 12 : 300}
        live={isLive(row)}
        label={label}
        readAll={() => watch.readAll()}
      />
    </>
  );
}

/** One run in full: how it is, what can be done, what it printed. */
export function RunDetail(props: IDetailProps): React.ReactElement | null {
  const { model, watch, actions, card } = props;
  useSignal(watch.stateChanged);
  const { row, task } = watch;
  const now = useNow(row !== null && isLive(row));
  if (!row || watch.missing) {
    return null;
  }
  const trouble = watch.trouble || row.trouble;
  const showTask = (one: number) => void watch.showTask(one);
  return (
    <div className="skiva-Detail">
      {trouble && <p className="skiva-Trouble">{trouble}</p>}
      <Header row={row} now={now} left={model.left(row)} />
      <Actions row={row} actions={actions} card={card}>
        {props.children}
      </Actions>
      {row.tasks && (
        <Tasks counts={row.tasks} tasks={watch.tasks} now={now} task={task} showTask={showTask} />
      )}
      <Traceback watch={watch} />
      <Printed watch={watch} row={row} card={card} />
      {!card && <Links row={row} task={task} actions={actions} />}
      <Facts of="run" facts={facts(row, watch.detail?.outputs ?? [], now)} />
    </div>
  );
}
