-- Settle verdicts: outcomes are inserted and recipients move in this one statement; the counters of
-- the mailing follow by trigger within it (mailing.models, "recipient_counts_update").
--
-- $1 is one line per fact, as `services.line_of` writes it; $2 to $4 say what the leases lent: a
-- first offer is a range of ids, everybody else carries the number of the lease.
--
-- The caller holds the mailings' rows, and so does everybody else who moves a recipient; so nobody
-- moves one while this runs, and no row needs a lock of its own.
--
-- Fence: a verdict counts when the row is still pending under the lease that obtained it. One more
-- case counts: the lease was recovered while the answer was under way, so the row is in doubt (or was
-- offered once more by policy and nobody has leased it yet), and the late answer of that same lease
-- says what happened after all.
WITH fact AS (
    SELECT
        c[1]::bigint AS lease, c[2]::bigint AS recipient, c[3] AS verdict, c[4] AS source,
        coalesce(c[5], '') AS reason, c[6]::timestamptz AS at, c[7]::smallint AS code,
        coalesce(c[8], '') AS enhanced, c[9]::timestamptz AS next_try_at,
        coalesce(c[10], '') AS reply, n
    FROM (
        SELECT string_to_array(line, E'\t', '') AS c, n
        FROM unnest(string_to_array(%s, E'\n')) WITH ORDINALITY AS l (line, n)
        WHERE line <> ''
    ) AS lines
),
judged AS (
    SELECT DISTINCT ON (f.recipient)
        f.recipient, f.lease, f.at, f.code, f.enhanced, f.reply, f.verdict, r.mailing_id,
        w.in_time, e.state, e.reason, e.source,
        -- Doubt about an official mail is offered once more, and named (design §2.2).
        (e.state = 'in_doubt' AND m.mail_class = 'oficial' AND NOT r.possible_duplicate
            AND m.state <> 'cancelled' AND f.at < m.deadline_at) AS again,
        coalesce(f.next_try_at, f.at) AS next_try_at
    FROM fact AS f
    JOIN mailing_recipient AS r ON r.id = f.recipient
    JOIN mailing_mailing AS m ON m.id = r.mailing_id
    LEFT JOIN unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS l (lease, first, last)
        ON l.lease = f.lease
    CROSS JOIN LATERAL (
        SELECT r.state = 'pending' AND coalesce(
            CASE WHEN r.next_try_at IS NULL THEN r.id BETWEEN l.first AND l.last
                 ELSE r.lease = f.lease END, false) AS in_time
    ) AS w
    CROSS JOIN LATERAL (
        SELECT
            CASE WHEN f.verdict NOT IN ('deferred', 'untried') THEN ''
                 WHEN m.state = 'cancelled' THEN 'cancel'
                 WHEN coalesce(f.next_try_at, f.at) >= m.deadline_at THEN 'expiry'
                 ELSE 'wait' END AS fate
    ) AS t
    CROSS JOIN LATERAL (
        SELECT
            CASE t.fate WHEN '' THEN f.verdict WHEN 'cancel' THEN 'suppressed'
                WHEN 'expiry' THEN 'refused' ELSE 'pending' END AS state,
            CASE t.fate WHEN 'cancel' THEN 'cancelled' WHEN 'expiry' THEN 'expired'
                ELSE f.reason END AS reason,
            CASE WHEN t.fate IN ('cancel', 'expiry') THEN t.fate ELSE f.source END AS source
    ) AS e
    WHERE w.in_time
        OR (
            f.verdict IN ('accepted', 'refused', 'deferred')
            AND (r.state = 'in_doubt'
                OR (r.state = 'pending' AND r.lease IS NULL AND r.possible_duplicate
                    AND f.verdict = 'accepted'))
            AND EXISTS (
                SELECT FROM outcomes_outcome AS o
                WHERE o.recipient_id = r.id AND o.lease = f.lease AND o.state = 'in_doubt'
            )
        )
    ORDER BY f.recipient, f.n
),
moved AS (
    UPDATE mailing_recipient AS r SET
        state = CASE WHEN j.again THEN 'pending' ELSE j.state END,
        reason = j.reason,
        lease = NULL,
        attempts = r.attempts + CASE WHEN j.verdict = 'untried' THEN 0 ELSE 1 END,
        next_try_at = CASE WHEN j.again OR j.state = 'pending' THEN j.next_try_at END,
        possible_duplicate = r.possible_duplicate OR j.again
    FROM judged AS j
    WHERE r.id = j.recipient
),
written AS (
    INSERT INTO outcomes_outcome (
        recipient_id, mailing_id, at, state, source, reason, code, enhanced, reply, lease, person
    )
    SELECT recipient, mailing_id, at, state, source, reason, code, enhanced, reply, lease, NULL
    FROM (
        -- Untried is no fact about the recipient: nothing was said to anybody.
        SELECT recipient, 1 AS step, mailing_id, at, state, source, reason, code, enhanced, reply,
               lease
        FROM judged
        WHERE verdict <> 'untried' OR state <> 'pending'
        UNION ALL
        SELECT recipient, 2, mailing_id, at, 'pending', 'policy', 'offered_again', NULL, '', '',
               lease
        FROM judged
        WHERE again
    ) AS rows
    ORDER BY recipient, step
)
SELECT lease, mailing_id, CASE WHEN again THEN 'pending' ELSE state END, in_time,
       array_agg(recipient ORDER BY recipient)
FROM judged
GROUP BY 1, 2, 3, 4
