import React from 'react';

import { ToneIcon, type Tone } from '../common/tone';
import { shortTime } from '../words';
import { share, tone, type ITask } from './rows';
import { progressWords, stateWords, tasksWords } from './words';

interface ITasksProps {
  counts: Readonly<Record<string, number>>;
  tasks: readonly ITask[];
  /** Whose log is shown. */
  task: number | null;
  showTask: (task: number) => void;
}

const FIRST = 20;
const ORDER: readonly Tone[] = ['bad', 'running', 'stopped', 'good', 'waiting'];

/** Those that somebody wants to see come first: failed, then running. */
function interestingFirst(tasks: readonly ITask[]): ITask[] {
  return [...tasks].sort(
    (one, other) => ORDER.indexOf(tone(one.state)) - ORDER.indexOf(tone(other.state)) || one.task - other.task
  );
}

function timeOf(task: ITask): string {
  if (task.started === null || task.started === undefined) {
    return '';
  }
  return shortTime((task.ended ?? Date.now() / 1000) - task.started);
}

function lineOf(task: ITask): string {
  const far = share(task.progress);
  if (tone(task.state) === 'running' && (far !== null || task.progress?.text)) {
    return progressWords(task.progress);
  }
  return tone(task.state) === 'bad' ? task.sentence : '';
}

function Row(props: { task: ITask; chosen: boolean; show: () => void }): React.ReactElement {
  const { task, chosen } = props;
  const state = tone(task.state);
  return (
    <tr aria-current={chosen || undefined}>
      <th scope="row">
        <button
          type="button"
          className="skiva-Link"
          onClick={props.show}
          aria-label={`Log of task ${task.task}`}
        >
          {task.task}
        </button>
      </th>
      <td title={task.sentence}>
        <span className="skiva-TaskState">
          <ToneIcon tone={state} />
          <span>
            {stateWords(task.state)}
            {lineOf(task) && <span className="skiva-Quiet"> {lineOf(task)}</span>}
          </span>
        </span>
      </td>
      <td className="skiva-Number">{timeOf(task)}</td>
    </tr>
  );
}

/** The tasks in words, some at first. */
function Table(props: ITasksProps): React.ReactElement | null {
  const [all, setAll] = React.useState(false);
  const sorted = React.useMemo(() => interestingFirst(props.tasks), [props.tasks]);
  if (!sorted.length) {
    return null;
  }
  const rowOf = (one: ITask) => (
    <Row key={one.task} task={one} chosen={one.task === props.task} show={() => props.showTask(one.task)} />
  );
  return (
    <>
      <table className="skiva-Table">
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col">State</th>
            <th scope="col">Time</th>
          </tr>
        </thead>
        <tbody>{(all ? sorted : sorted.slice(0, FIRST)).map(rowOf)}</tbody>
      </table>
      {sorted.length > FIRST && (
        <button type="button" className="skiva-Link" onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${sorted.length} tasks`}
        </button>
      )}
    </>
  );
}

/** A map's tasks: a coloured square for each, their counts in words, and a table. */
export function Tasks(props: ITasksProps): React.ReactElement {
  const { counts, tasks, task } = props;
  const look = (one: ITask) => `skiva-mod-${tone(one.state)}${one.task === task ? ' skiva-mod-chosen' : ''}`;
  return (
    <section className="skiva-Tasks" aria-label="Tasks">
      <p>{tasksWords(counts)}</p>
      <div className="skiva-Squares" aria-hidden="true">
        {tasks.map(one => (
          <span
            key={one.task}
            className={`skiva-Square ${look(one)}`}
            title={`Task ${one.task}: ${stateWords(one.state)}`}
            onClick={() => props.showTask(one.task)}
          />
        ))}
      </div>
      <Table {...props} />
    </section>
  );
}
