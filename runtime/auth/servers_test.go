package auth

import (
	"testing"

	"github.com/nexios-go/nexios/e2e/services"
)

// TestOnServers runs again, on real servers, what depends on how a database
// locks, compares and counts.
func TestOnServers(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"postgres": services.Postgres, "mysql": services.MySQL} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEST_DATABASE_URL", url(t))
			for name, test := range map[string]func(*testing.T){
				"required factor":     TestASecondFactorThatARoleRequires,
				"rotation":            TestRefreshRotates,
				"refused refreshes":   TestRefreshTokensThatDoNotHold,
				"reuse":               TestReuseEndsTheFamilyAndNoOther,
				"retry":               TestRetryWithinTheGraceGetsTheSameSuccessor,
				"parallel refreshes":  TestParallelRefreshesGetOneSuccessor,
				"ends of a session":   TestEndsOfASession,
				"ends of an account":  TestAccountThatIsDeactivatedOrDeleted,
				"racing logins":       TestLoginRacesWithAChangeOfPassword,
				"account lock":        TestAccountLocksAfterTenWrongPasswords,
				"cleared count":       TestRightPasswordClearsTheAccountCount,
				"address lock":        TestAddressLocksAfterThirtyWrongPasswords,
				"parallel guesses":    TestParallelGuessesAreNotMoreGuesses,
				"refused alike":       TestWrongUnknownAndInactiveAreAnsweredAlike,
				"raised cost":         TestLoginRaisesTheCostOfAnOldHash,
				"second factor":       TestSecondFactorIsAskedForAtLogin,
				"one code, one login": TestOneCodeIsOneLogin,
				"enrolment":           TestEnrolment,
				"API keys":            TestAPIKeys,
				"reset":               TestResetPassword,
				"one letter":          TestOneLetterIsOneReset,
				"confirmation":        TestConfirmEmail,
				"page session":        TestPageSession,
				"names":               TestNamesAreEqualHoweverTheyAreWritten,
				"older users":         TestUsersOfAnOlderVersion,
				"impersonation":       TestImpersonate,
				"new address":         TestANewAddressCountsOnceItIsConfirmed,
				"unconfirmed address": TestAnAddressCountsAtOnceWhereNoneIsConfirmed,
				"kept address":        TestAnAddressThatCanBeTakenBackIsTaken,
				"undone change":       TestUndoingAChangeOfAddress,
				"change by others":    TestAChangeByAnAdministratorIsNotUndone,
				"corrected change":    TestCorrectingAChangeOffersNothing,
				"released address":    TestReleaseEmail,
				"racing registration": TestLeavingAndRegisteringRace,
				"notices":             TestNotices,
				"new device":          TestALoginFromANewDeviceIsTold,
				"failing notice":      TestANoticeThatFailsUndoesTheChange,
				"purge":               TestPurge,
			} {
				t.Run(name, test)
			}
		})
	}
}
