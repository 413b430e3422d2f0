import React from 'react';

/** What is rarely asked for, folded away: terms with what they are; those of which nothing is known are left out. */
export function Facts(props: { of: string; facts: readonly [string, string][] }): React.ReactElement {
  return (
    <details className="skiva-Facts">
      <summary>{`More about this ${props.of}`}</summary>
      <dl>
        {props.facts
          .filter(([, value]) => value)
          .map(([term, value]) => (
            <React.Fragment key={term}>
              <dt>{term}</dt>
              <dd>{value}</dd>
            </React.Fragment>
          ))}
      </dl>
    </details>
  );
}
