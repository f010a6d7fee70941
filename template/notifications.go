package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/sns"
)

// addNotifications makes the topic that alarms and failed executions are told
// to. It has no key of its own: the AWS managed key would stop alarms from
// publishing, and a key of the customer's outlives the stack by a week at
// least, for texts that hold no message of the queue.
func addNotifications(s *stack) {
	s.condition("HasNotificationEmail", given("NotificationEmail"))

	s.heading("Whom alarms and failures are told to.")
	s.resource("NotificationTopic", &sns.Topic{
		DisplayName: new(cfn.Ref("AWS::StackName")),
	})
	s.resource("NotificationSubscription", &sns.Subscription{
		TopicArn: cfn.Ref("NotificationTopic"), Protocol: "email", Endpoint: new(cfn.Ref("NotificationEmail")),
		AWSCloudFormationCondition: "HasNotificationEmail",
	})
	s.resource("NotificationTopicPolicy", &sns.TopicPolicy{
		Topics: []string{cfn.Ref("NotificationTopic")},
		PolicyDocument: policyOf(
			statement{
				Sid: "AlarmsOfThisStack", Effect: "Allow", Action: []string{"sns:Publish"},
				Principal: map[string]string{"Service": "cloudwatch.amazonaws.com"},
				Resource:  cfn.Ref("NotificationTopic"),
				Condition: map[string]any{
					"StringEquals": map[string]string{"aws:SourceAccount": cfn.Ref("AWS::AccountId")},
					"ArnLike":      map[string]string{"aws:SourceArn": arn("cloudwatch", "alarm:${AWS::StackName}-*")},
				},
			},
			statement{
				Sid: "RulesOfThisAccount", Effect: "Allow", Action: []string{"sns:Publish"},
				Principal: map[string]string{"Service": eventsService},
				Resource:  cfn.Ref("NotificationTopic"),
				Condition: map[string]any{
					"StringEquals": map[string]string{"aws:SourceAccount": cfn.Ref("AWS::AccountId")},
					// The account's rules, not the stack's: CloudFormation makes their names of the stack's,
					// and cuts it where the 64 characters of a rule's name would not do.
					"ArnLike": map[string]string{"aws:SourceArn": arn("events", "rule/*")},
				},
			},
			tlsOnly(cfn.Ref("NotificationTopic"), "sns:Publish"),
		),
	})
}
