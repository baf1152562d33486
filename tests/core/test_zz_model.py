import memcairn.core.deletion_plan as dp
dp._closings = lambda *a: ([], {})
from tests.core.test_conversation_model import ConversationModel
from hypothesis import settings, HealthCheck, Phase
TestX = ConversationModel.TestCase
TestX.settings = settings(max_examples=200, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
