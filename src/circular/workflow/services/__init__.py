"""The only writers of the desk: one function per act; each owns its transaction.

Every act takes the request's id and `by=`, locks the request row (no key), asks
`transitions.decide`, writes row and duties, posts letters, and appends evidence as its last
statement. It returns `Moved`, or `NotMoved` with a refusal whose sentence is `labels.sentence`.

Drafts   create_draft update_draft file_request ask_missing lapse_draft copy_request issue_erratum
Review   acknowledge take take_over release_case return_request correct resubmit reject send_test
         sign_off approve authorise forward declare_urgent review_afterwards cancel
Sending  accept send_back schedule start start_due hold pause resume declare_sent mark_sent
         set_ceiling resend_missing resolve_doubt
Closing  confirm_to_communications confirm_to_requester verify find_not_sent remind remind_now escalate
         close reopen
Papers   file_request_mail file_correspondence read_correspondence answer_correspondence attach
House    load_procedure follow_procedure set_time_limit add_recess remove_recess set_desk_rules name_authority drop_authority
         name_urgent_post drop_urgent_post
"""

from circular.workflow.services.closing import (
    close as close,
)
from circular.workflow.services.closing import (
    confirm_to_communications as confirm_to_communications,
)
from circular.workflow.services.closing import (
    confirm_to_requester as confirm_to_requester,
)
from circular.workflow.services.closing import (
    escalate as escalate,
)
from circular.workflow.services.closing import (
    find_not_sent as find_not_sent,
)
from circular.workflow.services.closing import (
    remind as remind,
)
from circular.workflow.services.closing import (
    remind_now as remind_now,
)
from circular.workflow.services.closing import (
    reopen as reopen,
)
from circular.workflow.services.closing import (
    verify as verify,
)
from circular.workflow.services.documents import (
    load_procedure as load_procedure,
)
from circular.workflow.services.drafting import (
    KEEP as KEEP,
)
from circular.workflow.services.drafting import (
    ask_missing as ask_missing,
)
from circular.workflow.services.drafting import (
    copy_request as copy_request,
)
from circular.workflow.services.drafting import (
    create_draft as create_draft,
)
from circular.workflow.services.drafting import (
    file_request as file_request,
)
from circular.workflow.services.drafting import (
    issue_erratum as issue_erratum,
)
from circular.workflow.services.drafting import (
    lapse_draft as lapse_draft,
)
from circular.workflow.services.drafting import (
    update_draft as update_draft,
)
from circular.workflow.services.filing import (
    answer_correspondence as answer_correspondence,
)
from circular.workflow.services.filing import (
    attach as attach,
)
from circular.workflow.services.filing import (
    file_correspondence as file_correspondence,
)
from circular.workflow.services.filing import (
    file_request_mail as file_request_mail,
)
from circular.workflow.services.filing import (
    read_correspondence as read_correspondence,
)
from circular.workflow.services.house_rules import (
    add_recess as add_recess,
)
from circular.workflow.services.house_rules import (
    drop_authority as drop_authority,
)
from circular.workflow.services.house_rules import (
    drop_urgent_post as drop_urgent_post,
)
from circular.workflow.services.house_rules import (
    follow_procedure as follow_procedure,
)
from circular.workflow.services.house_rules import (
    name_authority as name_authority,
)
from circular.workflow.services.house_rules import (
    name_urgent_post as name_urgent_post,
)
from circular.workflow.services.house_rules import (
    remove_recess as remove_recess,
)
from circular.workflow.services.house_rules import (
    set_desk_rules as set_desk_rules,
)
from circular.workflow.services.house_rules import (
    set_time_limit as set_time_limit,
)
from circular.workflow.services.reviewing import (
    acknowledge as acknowledge,
)
from circular.workflow.services.reviewing import (
    approve as approve,
)
from circular.workflow.services.reviewing import (
    authorise as authorise,
)
from circular.workflow.services.reviewing import (
    cancel as cancel,
)
from circular.workflow.services.reviewing import (
    correct as correct,
)
from circular.workflow.services.reviewing import (
    declare_urgent as declare_urgent,
)
from circular.workflow.services.reviewing import (
    forward as forward,
)
from circular.workflow.services.reviewing import (
    reject as reject,
)
from circular.workflow.services.reviewing import (
    release_case as release_case,
)
from circular.workflow.services.reviewing import (
    resubmit as resubmit,
)
from circular.workflow.services.reviewing import (
    return_request as return_request,
)
from circular.workflow.services.reviewing import (
    review_afterwards as review_afterwards,
)
from circular.workflow.services.reviewing import (
    send_test as send_test,
)
from circular.workflow.services.reviewing import (
    sign_off as sign_off,
)
from circular.workflow.services.reviewing import (
    take as take,
)
from circular.workflow.services.reviewing import (
    take_over as take_over,
)
from circular.workflow.services.sending import (
    accept as accept,
)
from circular.workflow.services.sending import (
    declare_sent as declare_sent,
)
from circular.workflow.services.sending import (
    hold as hold,
)
from circular.workflow.services.sending import (
    mark_sent as mark_sent,
)
from circular.workflow.services.sending import (
    pause as pause,
)
from circular.workflow.services.sending import (
    resend_missing as resend_missing,
)
from circular.workflow.services.sending import (
    resolve_doubt as resolve_doubt,
)
from circular.workflow.services.sending import (
    resume as resume,
)
from circular.workflow.services.sending import (
    schedule as schedule,
)
from circular.workflow.services.sending import (
    send_back as send_back,
)
from circular.workflow.services.sending import (
    set_ceiling as set_ceiling,
)
from circular.workflow.services.sending import (
    start as start,
)
from circular.workflow.services.sending import (
    start_due as start_due,
)
