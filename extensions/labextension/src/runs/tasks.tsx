import React from 'react';

import { ToneIcon } from '../common/tone';
import { interestingFirst, tone, type ITask } from './rows';
import { stateWords, taskLine, tasksWords, taskTime } from './words';

interface ITasksProps {
  counts: Readonly<Record<string, number>>;
  tasks: readonly ITask[];
  now: number;
  /** Whose log is shown. */
  task: number | null;
  showTask: (task: number) => void;
}

const FIRST = 20;
function Row(props: { task: ITask; now: number; chosen: boolean; show: () => void }): React.ReactElement {
  const { task, now, chosen } = props;
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
            {taskLine(task) && <span className="skiva-Quiet"> {taskLine(task)}</span>}
          </span>
        </span>
      </td>
      <td className="skiva-Number">{taskTime(task, now)}</td>
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
    <Row
      key={one.task}
      task={one}
      now={props.now}
      chosen={one.task === props.task}
      show={() => props.showTask(one.task)}
    />
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
