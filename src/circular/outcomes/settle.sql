-- Settle verdicts: outcomes are inserted and recipients move in this one statement; the counters of
-- the mailing follow by trigger within it (mailing.models, "recipient_counts_update").
--
-- Fence: a verdict counts when the row is still pending under the lease that obtained it. One more
-- case counts: the lease was recovered while the answer was under way, so the row is in doubt (or was
-- offered once more by policy and nobody has leased it yet), and the late answer of that same lease
-- says what happened after all.
WITH fact AS (
    SELECT *
    FROM unnest(
        %(recipient)s::bigint[], %(verdict)s::text[], %(state)s::text[], %(source)s::text[],
        %(reason)s::text[], %(at)s::timestamptz[], %(code)s::smallint[], %(enhanced)s::text[],
        %(reply)s::text[], %(next_try_at)s::timestamptz[]
    ) WITH ORDINALITY AS f (
        recipient, verdict, state, source, reason, at, code, enhanced, reply, next_try_at, n
    )
),
held AS (
    SELECT r.id, r.mailing_id, r.state, r.lease, r.possible_duplicate
    FROM mailing_recipient AS r
    WHERE r.id = ANY (%(recipient)s::bigint[])
    ORDER BY r.id
    FOR NO KEY UPDATE
),
judged AS (
    SELECT DISTINCT ON (f.recipient)
        f.recipient, f.at, f.code, f.enhanced, f.reply, f.verdict, h.mailing_id,
        coalesce(h.lease = %(lease)s, false) AS in_time,
        -- Doubt about an official mail is offered once more, and named (design §2.2).
        (f.state = 'in_doubt' AND m.mail_class = 'oficial' AND NOT h.possible_duplicate
            AND m.state <> 'cancelled' AND f.at < m.deadline_at) AS again,
        CASE
            WHEN f.state = 'pending' AND m.state = 'cancelled' THEN 'suppressed'
            WHEN f.state = 'pending' AND coalesce(f.next_try_at, f.at) >= m.deadline_at
                THEN 'refused'
            ELSE f.state
        END AS state,
        CASE
            WHEN f.state = 'pending' AND m.state = 'cancelled' THEN 'cancelled'
            WHEN f.state = 'pending' AND coalesce(f.next_try_at, f.at) >= m.deadline_at
                THEN 'expired'
            ELSE f.reason
        END AS reason,
        CASE
            WHEN f.state = 'pending' AND m.state = 'cancelled' THEN 'cancel'
            WHEN f.state = 'pending' AND coalesce(f.next_try_at, f.at) >= m.deadline_at
                THEN 'expiry'
            ELSE f.source
        END AS source,
        coalesce(f.next_try_at, f.at) AS next_try_at
    FROM fact AS f
    JOIN held AS h ON h.id = f.recipient
    JOIN mailing_mailing AS m ON m.id = h.mailing_id
    WHERE (h.state = 'pending' AND h.lease = %(lease)s)
        OR (
            f.verdict IN ('accepted', 'refused', 'deferred')
            AND (h.state = 'in_doubt'
                OR (h.state = 'pending' AND h.lease IS NULL AND h.possible_duplicate
                    AND f.verdict = 'accepted'))
            AND EXISTS (
                SELECT FROM outcomes_outcome AS o
                WHERE o.recipient_id = h.id AND o.lease = %(lease)s AND o.state = 'in_doubt'
            )
        )
    ORDER BY f.recipient, f.n
),
moved AS (
    UPDATE mailing_recipient AS r SET
        state = CASE WHEN j.again THEN 'pending' ELSE j.state END,
        reason = j.reason,
        lease = NULL,
        leased_until = NULL,
        attempts = r.attempts + CASE WHEN j.verdict = 'untried' THEN 0 ELSE 1 END,
        next_try_at = j.next_try_at,
        possible_duplicate = r.possible_duplicate OR j.again,
        -- Whoever is pending again has not been offered anything under the next lease.
        offered_at = CASE WHEN j.again OR j.state = 'pending' THEN NULL ELSE r.offered_at END
    FROM judged AS j
    WHERE r.id = j.recipient
    RETURNING r.id, r.state
),
written AS (
    INSERT INTO outcomes_outcome (
        recipient_id, mailing_id, at, state, source, reason, code, enhanced, reply, lease, person
    )
    SELECT recipient, mailing_id, at, state, source, reason, code, enhanced, reply, lease, NULL
    FROM (
        -- Untried is no fact about the recipient: nothing was said to anybody.
        SELECT recipient, 1 AS step, mailing_id, at, state, source, reason, code, enhanced, reply,
               %(lease)s::bigint AS lease
        FROM judged
        WHERE verdict <> 'untried' OR state <> 'pending'
        UNION ALL
        SELECT recipient, 2, mailing_id, at, 'pending', 'policy', 'offered_again', NULL, '', '',
               %(lease)s::bigint
        FROM judged
        WHERE again
    ) AS rows
    ORDER BY recipient, step
    RETURNING id, recipient_id, state, source, code
)
SELECT j.recipient, j.mailing_id, m.state, j.in_time
FROM judged AS j
JOIN moved AS m ON m.id = j.recipient
ORDER BY j.recipient
