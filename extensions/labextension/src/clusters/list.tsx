import React from 'react';

import { ListBox, Option } from '../common/listbox';
import { ToneIcon } from '../common/tone';
import { whenShort } from '../common/words';
import { shortTime } from '../words';
import type { ClusterActions } from './actions';
import { isLiving, tone, type ICluster } from './rows';
import { kindWords, lineWords, spokenRow, stateWords } from './words';
import { WorkersBar } from './workers';

interface IListProps {
  rows: readonly ICluster[];
  now: number;
  active: string | null;
  setActive: (id: string) => void;
  open: (id: string) => void;
  actions: ClusterActions;
}

/** The clusters, one below the other: arrows move, Enter opens, Delete closes or takes off the list. */
export function ClusterList(props: IListProps): React.ReactElement {
  const { rows, now, active, setActive, open, actions } = props;
  return (
    <ListBox label="Clusters, living ones first" end={actions.end} {...{ rows, active, setActive, open }}>
      {rows.map(cluster => (
        <Option
          key={cluster.id}
          id={cluster.id}
          active={cluster.id === active}
          spoken={spokenRow(cluster)}
          title={`${cluster.name} · ${kindWords(cluster)}\n${stateWords(cluster.state)}\n${cluster.sentence}`}
          open={() => open(cluster.id)}
        >
          <ToneIcon tone={tone(cluster.state)} />
          <span className="skiva-RowName">{cluster.name}</span>
          <span className="skiva-RowCorner">
            {isLiving(cluster)
              ? shortTime(Math.max(0, now - cluster.created))
              : whenShort(cluster.created, now)}
          </span>
          <span className="skiva-RowLine">{lineWords(cluster)}</span>
          {isLiving(cluster) && (
            <span className="skiva-RowStack">
              <WorkersBar workers={cluster.workers} />
            </span>
          )}
        </Option>
      ))}
    </ListBox>
  );
}
